# SPDX-License-Identifier: MIT
"""The closure, proven: who needs what, versions and symbols, and what is opened without being NEEDED."""
from packing import GLIBC, MUSL, drupe


# ---- deps --why ----

def why(root, library, *programs, status=0):
    output, error = drupe("deps", "-s", root, "--why", library, *[root / p for p in programs], status=status)
    return output.decode().splitlines(), error


def test_why_prints_a_shortest_chain_to_everyone_who_needs_it(musl):
    musl.elf("lib/liba.so", ["libb.so"])
    musl.elf("lib/libb.so", ["libx.so", "libc.so"])
    musl.elf("lib/libx.so")
    musl.elf("bin/prog", ["liba.so", "libb.so"], MUSL)
    musl.elf("bin/other", ["libx.so"], MUSL)
    lines, error = why(musl, "libx.so", "bin/prog", "bin/other")
    assert lines == ["/bin/prog -> /lib/libb.so -> libx.so", "/bin/other -> libx.so"] and error == ""
    assert why(musl, "libb.so", "bin/prog")[0] == ["/bin/prog -> libb.so", "/bin/prog -> /lib/liba.so -> libb.so"]


def test_why_takes_a_file_name_a_soname_or_a_path(glibc):
    glibc.elf("usr/lib/libz.so.1.2", soname="libz.so.1")
    glibc.link("usr/lib/libz.so.1", "libz.so.1.2")
    glibc.elf("usr/bin/prog", ["libz.so.1"], GLIBC)
    for name in ("libz.so.1", "libz.so.1.2", "/lib/libz.so.1", "/usr/lib/libz.so.1.2"):
        assert why(glibc, name, "usr/bin/prog")[0] == ["/usr/bin/prog -> libz.so.1"], name
    assert why(glibc, GLIBC, "usr/bin/prog")[0] == [f"/usr/bin/prog -> {GLIBC}"]


def test_why_goes_through_a_scripts_interpreter(musl):
    musl.elf("lib/libx.so")
    musl.elf("bin/prog", ["libx.so"], MUSL)
    musl.file("run", "#!/bin/prog\n", 0o755)
    assert why(musl, "libx.so", "run")[0] == ["/run -> /bin/prog -> libx.so"]


def test_why_knows_who_needs_what_is_missing(musl):
    musl.elf("lib/liba.so", ["libgone.so"])
    musl.elf("bin/prog", ["liba.so"], MUSL)
    lines, error = why(musl, "libgone.so", "bin/prog", status=1)
    assert lines == ["/bin/prog -> /lib/liba.so -> libgone.so (not found)"]
    assert "/lib/liba.so needs libgone.so, which is in none of the places searched" in error


def test_why_tells_when_nothing_needs_it(musl):
    musl.elf("bin/prog", ["libc.so"], MUSL)
    lines, error = why(musl, "libz.so.1", "bin/prog", status=1)
    assert lines == [] and "nothing needs libz.so.1" in error
