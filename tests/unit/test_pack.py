# SPDX-License-Identifier: MIT
"""The `drupe` command, driven from outside: what it packs, what it refuses and how it says so, and archives of other tools both ways."""
import os
import struct
import subprocess

import pytest

from packing import DRUPE, GLIBC, MUSL, Root, drupe, entries, line, names, tree


# ---- closures ----

def test_pack_adds_loader_and_libraries_transitively(musl, out):
    musl.elf("lib/liba.so", ["libb.so", "libc.so"])
    musl.elf("usr/lib/libb.so")
    musl.elf("bin/prog", ["liba.so", "libc.so"], MUSL)
    drupe("pack", "-s", musl, musl / "bin/prog", "-o", out)
    assert names(out) == ["bin", "bin/prog", "lib", "lib/ld-musl-riscv64.so.1", "lib/liba.so", "lib/libc.so", "usr", "usr/lib",
                          "usr/lib/libb.so"]
    assert line(out, "lib/ld-musl-riscv64.so.1").endswith(" -> libc.so")


def test_pack_keeps_merged_usr_as_symlinks(glibc, out):
    glibc.elf("usr/bin/prog", ["libc.so.6"], GLIBC)
    glibc.link("bin", "usr/bin")
    drupe("pack", "-s", glibc, glibc / "bin/prog", "-o", out)
    assert line(out, "lib") == "l 0777 0:0 0 lib -> usr/lib"
    assert line(out, "bin") == "l 0777 0:0 0 bin -> usr/bin"
    assert names(out)[2:] == ["usr", "usr/bin", "usr/bin/prog", "usr/lib", "usr/lib/ld-linux-riscv64-lp64d.so.1",
                              "usr/lib/riscv64-linux-gnu", "usr/lib/riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1",
                              "usr/lib/riscv64-linux-gnu/libc.so.6"]


def test_pack_follows_every_symlink_to_a_library(musl, out):
    musl.elf("opt/real/libx.so.1.2.3")
    musl.link("lib/libx.so", "libx.so.1")
    musl.link("lib/libx.so.1", "/opt/x/libx.so.1.2.3")
    musl.link("opt/x", "real")
    musl.elf("bin/prog", ["libx.so"], MUSL)
    drupe("pack", "-s", musl, musl / "bin/prog", "-o", out)
    assert line(out, "lib/libx.so").endswith("-> libx.so.1")
    assert line(out, "lib/libx.so.1").endswith("-> /opt/x/libx.so.1.2.3")
    assert line(out, "opt/x").endswith("-> real")
    assert "opt/real/libx.so.1.2.3" in names(out)


def test_pack_resolves_absolute_symlinks_in_the_sysroot_only(musl, tmp_path, out):
    outside = Root(tmp_path / "outside").elf("libx.so")
    musl.link("lib/libx.so", outside)
    musl.elf("bin/prog", ["libx.so"], MUSL)
    _, error = drupe("pack", "-s", musl, musl / "bin/prog", "-o", out, status=1)
    assert "/bin/prog needs libx.so, which is in none of the places searched" in error


def test_pack_resolves_an_absolute_symlink_on_the_way_to_host_in_the_sysroot(musl, out):
    musl.elf("usr/bin/prog", ["libc.so"], MUSL)
    musl.link("bin", "/usr/bin")
    drupe("pack", "-s", musl, musl / "bin/prog", f"/sbin/prog={musl}/bin/prog", "-o", out)
    assert line(out, "bin").endswith("-> /usr/bin")
    assert "usr/bin/prog" in names(out) and "sbin/prog" in names(out)


def test_pack_searches_runpath_with_origin(glibc, out):
    glibc.elf("opt/app/lib/libp.so", ["libc.so.6"])
    glibc.elf("opt/app/lib/libq.so", ["libc.so.6"])
    glibc.elf("opt/app/bin/prog", ["libp.so", "libq.so"], GLIBC, runpath="${ORIGIN}/../lib")
    drupe("pack", "-s", glibc, glibc / "opt/app/bin/prog", "-o", out)
    assert {"opt/app/lib/libp.so", "opt/app/lib/libq.so"} <= set(names(out))


def test_pack_expands_lib_in_rpath(glibc, out):
    glibc.elf("opt/lib/riscv64-linux-gnu/libp.so")
    glibc.elf("opt/prog", ["libp.so"], GLIBC, runpath="/opt/$LIB")
    drupe("pack", "-s", glibc, glibc / "opt/prog", "-o", out)
    assert "opt/lib/riscv64-linux-gnu/libp.so" in names(out)


def test_pack_inherits_rpath_but_not_runpath_under_glibc(glibc, out):
    glibc.elf("priv/libp.so", ["libq.so"])
    glibc.elf("priv/libq.so")
    glibc.elf("bin-old", ["libp.so"], GLIBC, rpath="/priv")
    glibc.elf("bin-new", ["libp.so"], GLIBC, runpath="/priv")
    drupe("pack", "-s", glibc, glibc / "bin-old", "-o", out)
    assert "priv/libq.so" in names(out)
    _, error = drupe("pack", "-s", glibc, glibc / "bin-new", "-o", out, status=1)
    assert "/priv/libp.so needs libq.so" in error


def test_pack_inherits_runpath_under_musl(musl, out):
    musl.elf("priv/libp.so", ["libq.so"])
    musl.elf("priv/libq.so")
    musl.elf("prog", ["libp.so"], MUSL, runpath="/priv")
    drupe("pack", "-s", musl, musl / "prog", "-o", out)
    assert "priv/libq.so" in names(out)


def test_pack_reads_ld_so_conf_with_includes(glibc, out):
    glibc.file("etc/ld.so.conf", "# comment\ninclude ld.so.conf.d/*.conf\n")
    glibc.file("etc/ld.so.conf.d/a.conf", "/opt/vendor/lib  # theirs\n")
    glibc.elf("opt/vendor/lib/libv.so")
    glibc.elf("prog", ["libv.so"], GLIBC)
    drupe("pack", "-s", glibc, glibc / "prog", "-o", out)
    assert "opt/vendor/lib/libv.so" in names(out)


def test_pack_reads_musl_path_file_instead_of_the_default_directories(musl, out):
    musl.file("etc/ld-musl-riscv64.path", "/odd\n/places")
    musl.elf("places/libv.so")
    musl.elf("usr/lib/libu.so")
    musl.elf("prog", ["libv.so"], MUSL)
    musl.elf("prog2", ["libu.so"], MUSL)
    drupe("pack", "-s", musl, musl / "prog", "-o", out)
    assert "places/libv.so" in names(out)
    _, error = drupe("pack", "-s", musl, musl / "prog2", "-o", out, status=1)
    assert "searched   /places" in error and "searched   /usr/lib" not in error


def test_pack_takes_musl_own_names_for_the_loader(root, out):
    root.elf("lib/ld-musl-riscv64.so.1")
    root.elf("prog", ["libc.so", "libpthread.so.0", "libm.so.6"], MUSL)
    drupe("pack", "-s", root, root / "prog", "-o", out)
    assert names(out) == ["lib", "lib/ld-musl-riscv64.so.1", "prog"]


def test_pack_lets_a_soname_loaded_before_satisfy_a_need(glibc, out):
    glibc.elf("priv/libq-impl.so", soname="libq.so")
    glibc.elf("usr/lib/libp.so", ["libq.so"])
    glibc.elf("prog", ["/priv/libq-impl.so", "libp.so"], GLIBC)
    drupe("pack", "-s", glibc, glibc / "prog", "-o", out)
    assert "priv/libq-impl.so" in names(out)


def test_pack_takes_the_first_sysroot_that_has_it(musl, tmp_path, out):
    other = Root(tmp_path / "other")
    other.elf("lib/libx.so", soname="libx-of-other.so")
    other.elf("bin/prog", ["libx.so", "liby.so"], MUSL)
    other.elf("lib/liby.so")
    mine = musl.elf("lib/libx.so")
    drupe("pack", "-s", musl, "-s", other, other / "bin/prog", "-o", out)
    body = [x for x in entries(out) if x[0] == "lib/libx.so"][0]
    assert out.read_bytes()[body[2]:body[2] + body[1][6]] == mine.read_bytes()
    assert "lib/liby.so" in names(out)


def test_pack_joins_a_merged_usr_sysroot_with_one_that_is_not(glibc, tmp_path, out):
    other = Root(tmp_path / "other")
    other.elf("lib/libc.so", soname="libc.so")
    other.link("lib/ld-musl-riscv64.so.1", "libc.so")
    other.elf("bin/mine", ["libc.so"], MUSL)
    glibc.elf("usr/bin/prog", ["libc.so.6"], GLIBC)
    drupe("pack", "-s", glibc, "-s", other, glibc / "usr/bin/prog", other / "bin/mine", "-o", out)
    assert {"lib", "usr/lib/libc.so", "usr/lib/ld-musl-riscv64.so.1", "bin/mine"} <= set(names(out))
    assert "usr/lib" in line(out, "lib")


def test_pack_finds_libraries_that_are_packed_explicitly(musl, tmp_path, out):
    build = Root(tmp_path / "build")
    build.elf("libmine.so")
    build.elf("prog", ["libmine.so"], MUSL)
    drupe("pack", "-s", musl, f"/usr/lib/={build}/libmine.so", f"/bin/prog={build}/prog", "-o", out)
    assert {"bin/prog", "usr/lib/libmine.so", "lib/libc.so"} <= set(names(out))


def test_pack_adds_a_scripts_interpreter_and_its_closure(musl, out):
    musl.elf("bin/busybox", ["libc.so"], MUSL)
    musl.link("bin/sh", "busybox")
    musl.file("usr/bin/run", "#! /bin/sh -e\n", 0o755)
    drupe("pack", "-s", musl, musl / "usr/bin/run", "-o", out)
    assert {"bin/sh", "bin/busybox", "lib/libc.so"} <= set(names(out))


def test_pack_adds_what_env_will_find(musl, out):
    musl.elf("usr/bin/env", ["libc.so"], MUSL)
    musl.elf("usr/bin/python3", ["libc.so"], MUSL)
    musl.file("tool", "#!/usr/bin/env python3\n", 0o755)
    drupe("pack", "-s", musl, musl / "tool", "-o", out)
    assert {"usr/bin/env", "usr/bin/python3"} <= set(names(out))


def test_pack_stops_when_a_named_script_lacks_its_interpreter(root, out):
    root.file("tool", "#!/bin/perl\n", 0o755)
    _, error = drupe("pack", "-s", root, root / "tool", "-o", out, status=1)
    assert "the script /tool" in error and "needs /bin/perl" in error
    _, error = drupe("pack", root, "-o", out)
    assert "note: the script /tool needs /bin/perl" in error


def test_pack_adds_plugins_by_glob_with_their_closure(musl, out):
    musl.elf("usr/lib/app/one.so", ["libdep.so"])
    musl.elf("usr/lib/libdep.so")
    musl.elf("lib/libnss_files.so.2")
    musl.file("share/data/x", "x")
    drupe("pack", "-s", musl, "--also", "/usr/lib/*/*.so", "--also", "libnss_*", "--also", "/sha*", "-o", out)
    assert {"usr/lib/app/one.so", "usr/lib/libdep.so", "lib/libnss_files.so.2", "share/data/x"} <= set(names(out))


def test_pack_stops_when_a_glob_matches_nothing(musl, out):
    _, error = drupe("pack", "-s", musl, "--also", "libnothing*", "-o", out, status=1)
    assert "--also libnothing* matches nothing" in error
    assert "searched   /usr/lib" in error and f"in sysroot {musl}" in error


def test_pack_lets_a_plugin_need_what_its_program_brings(musl, out):
    musl.elf("app/lib/libcore.so")
    musl.elf("app/prog", ["libcore.so"], MUSL, runpath="/app/lib")
    musl.elf("app/plugins/p.so", ["libcore.so"])
    drupe("pack", "-s", musl, musl / "app", "-o", out)
    assert "app/plugins/p.so" in names(out)


# ---- what stops it ----

def test_pack_stops_on_a_missing_library_and_names_each_place(musl, out):
    musl.elf("bin/prog", ["libgone.so.3", "libalso.so"], MUSL, runpath="$ORIGIN/../priv")
    _, error = drupe("pack", "-s", musl, musl / "bin/prog", "-o", out, status=1)
    assert "/bin/prog needs libgone.so.3, which is in none of the places searched:" in error
    assert "/bin/prog needs libalso.so" in error
    for place in ("/bin/../priv", "/lib", "/usr/local/lib", "/usr/lib"):
        assert f"searched   {place}\n" in error
    assert f"in sysroot {musl}\n" in error and "2 errors; nothing was written" in error
    assert not out.exists()


def test_pack_stops_on_a_missing_loader(root, out):
    root.elf("prog", [], MUSL)
    _, error = drupe("pack", root / "prog", "-o", out, status=1)
    assert f"/prog needs {MUSL}, which is in none of the places searched" in error
    assert "in no sysroot: none was given" in error


def test_pack_stops_on_another_machine(musl, out):
    musl.elf("host", machine=62)
    _, error = drupe("pack", musl / "host", "-o", out, status=1)
    assert "is for x86-64, 64 bits; the machine is RISC-V, 64 bits" in error


def test_pack_stops_when_only_a_library_for_another_machine_is_there(musl, out):
    musl.elf("lib/libx.so", machine=62)
    musl.elf("prog", ["libx.so"], MUSL)
    _, error = drupe("pack", "-s", musl, musl / "prog", "-o", out, status=1)
    assert "/prog needs libx.so, but /lib/libx.so" in error and "is for x86-64" in error


def test_pack_stops_on_another_word_size(musl, out):
    path = musl.elf("lib/libx.so")
    data = bytearray(path.read_bytes())
    data[4] = 1
    path.write_bytes(data)
    _, error = drupe("pack", "-s", musl, path, "-o", out, status=1)
    assert "is for RISC-V, 32 bits; the machine is RISC-V, 64 bits" in error


@pytest.mark.parametrize("keep", [3, 40, 63, 100, 300, 0.5, -1])
def test_pack_stops_on_a_truncated_elf(musl, out, keep):
    path = musl.elf("prog", [], MUSL)
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * keep) if isinstance(keep, float) else keep])
    if keep == 3:  # too short to be taken for one
        drupe("pack", "-s", musl, path, "-o", out)
        return
    _, error = drupe("pack", "-s", musl, path, "-o", out, status=1)
    assert "is not usable as an ELF file: ends too early; file truncated?" in error


def test_pack_stops_when_two_files_claim_one_path(tmp_path, out):
    here = Root(tmp_path)
    one, two = here.file("one", "1"), here.file("two", "2")
    _, error = drupe("pack", f"/x={one}", f"/x={two}", "-o", out, status=1)
    assert f"two different things claim /x: the file {one} and the file {two}" in error
    same = here.file("same", "1")
    drupe("pack", f"/x={one}", f"/x={same}", "-o", out)
    here.file("list", "slink /x y 777 0 0\n")
    _, error = drupe("pack", "-m", here / "list", f"/x={one}", "-o", out, status=1)
    assert f"two different things claim /x: a symlink to y and the file {one}" in error


def test_pack_stops_on_a_path_that_leaves_the_root(tmp_path, out):
    one = Root(tmp_path).file("one", "1")
    _, error = drupe("pack", f"/a/../../x={one}", "-o", out, status=1)
    assert "the path /a/../../x in the archive: leaves the root" in error


def test_pack_stops_on_what_is_not_there(tmp_path, out):
    _, error = drupe("pack", tmp_path / "nothing", "-o", out, status=1)
    assert f"{tmp_path}/nothing: No such file or directory" in error
    _, error = drupe("pack", "-s", tmp_path / "nothing", "x", "-o", out, status=1)
    assert "sysroot" in error


def test_pack_stops_on_a_damaged_dynamic_section(musl, out):
    path = musl.elf("prog", ["libc.so"], MUSL)
    data = bytearray(path.read_bytes())
    phoff, phnum = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for i in range(phnum):
        kind, _, offset = struct.unpack_from("<IIQ", data, phoff + 56 * i)
        if kind == 2:
            struct.pack_into("<QQ", data, offset, 1, 1 << 40)
    path.write_bytes(data)
    _, error = drupe("pack", "-s", musl, path, "-o", out, status=1)
    assert "has a damaged dynamic section: a name is outside its string table" in error


def test_pack_refuses_files_the_format_cannot_hold(tmp_path, out):
    large = tmp_path / "large"
    with large.open("wb") as f:
        f.truncate(1 << 32)
    _, error = drupe("pack", large, "-o", out, status=1)
    assert "large has 4294967296 bytes; the format's limit is 4294967295" in error
    assert not out.exists() and list(tmp_path.glob("out.cpio*")) == []


# ---- where things go ----

def test_pack_puts_files_at_the_root_and_directories_over_it(tmp_path, out):
    here = Root(tmp_path / "here")
    here.file("init", "i", 0o755)
    here.file("tree/etc/passwd", "p")
    drupe("pack", here / "init", here / "tree", f"/opt={here}/tree", f"/bin/={here}/init", f"={here}/init", "-o", out)
    assert names(out) == ["bin", "bin/init", "etc", "etc/passwd", "init", "opt", "opt/etc", "opt/etc/passwd"]


def test_pack_merges_directories_over_symlinks_of_the_sysroot(glibc, tmp_path, out):
    mine = Root(tmp_path / "mine")
    mine.file("lib/firmware", "f")
    glibc.elf("prog", ["libc.so.6"], GLIBC)
    drupe("pack", "-s", glibc, mine, glibc / "prog", "-o", out)
    assert line(out, "lib").endswith("-> usr/lib")
    assert "usr/lib/firmware" in names(out)


def test_pack_works_from_inside_a_sysroot(musl, out):
    musl.elf("usr/bin/prog", ["libc.so"], MUSL)
    drupe("pack", "-s", "..", "bin/prog", "-o", out, cwd=musl / "usr")
    assert "usr/bin/prog" in names(out)


def test_pack_keeps_modes_and_parents_of_the_sysroot(musl, out):
    musl.file("root/secret", "s", 0o4711)
    (musl / "root").chmod(0o700)
    drupe("pack", "-s", musl, musl / "root/secret", "-o", out)
    assert line(out, "root") == "d 0700 0:0 0 root"
    assert line(out, "root/secret").startswith("f 4711 0:0 0 ")


def test_pack_reads_manifests_of_gen_init_cpio(tmp_path, out):
    here = Root(tmp_path)
    here.file("data", "hello")
    here.file("list", """
# a comment
dir /dev 0755 0 0
nod /dev/console 0600 1 2 c 5 1
nod /dev/sda 660 0 6 b 8 0
file /bin/one ${PLACE}/data 755 3 4 /bin/two /sbin/three
slink /bin/sh one 0777 0 0
pipe /fifo 640 0 0
sock /log 666 0 0
dir / 711 0 0
""")
    drupe("pack", "-m", here / "list", "-o", out, env={"PLACE": str(tmp_path)})
    assert tree(out) == [
        "d 0711 0:0 0 .", "d 0755 0:0 0 bin", "f 0755 3:4 0 bin/one = hello (3 links)", "l 0777 0:0 0 bin/sh -> one",
        "f 0755 3:4 0 bin/two = hello (3 links)", "d 0755 0:0 0 dev", "c 0600 1:2 0 dev/console 5:1", "b 0660 0:6 0 dev/sda 8:0",
        "p 0640 0:0 0 fifo", "s 0666 0:0 0 log", "d 0755 0:0 0 sbin", "f 0755 3:4 0 sbin/three = hello (3 links)"]
    drupe("pack", "-m", "-", "-o", out, stdin=b"dir /from-stdin 755 0 0\n")
    assert names(out) == ["from-stdin"]


@pytest.mark.parametrize("text, error", [
    ("dir /a 755 0\n", "list:1: too few or too many words for dir"),
    ("\nblob /a 755 0 0\n", "list:2: unknown kind of entry: blob"),
    ("dir /a 799 0 0\n", "list:1: not an octal number: 799"),
    ("dir /a 755 x 0\n", "list:1: not a number: x"),
    ("nod /a 755 0 0 x 1 1\n", "list:1: a device is b or c, not x"),
    ("file /a ${NOT_SET_AT_ALL}/x 755 0 0\n", "list:1: this environment variable is not set: NOT_SET_AT_ALL"),
    ("file /a /does/not/exist 755 0 0\n", "list:1: /does/not/exist: No such file or directory"),
    ("dir /../a 755 0 0\n", "list:1: the path /../a in the archive: leaves the root"),
])
def test_pack_names_the_line_of_a_bad_manifest(tmp_path, out, text, error):
    Root(tmp_path).file("list", text)
    assert error in drupe("pack", "-m", "list", "-o", out, status=1, cwd=tmp_path)[1]


# ---- the bytes ----

def test_pack_aligns_data_of_a_page_or_more(tmp_path, out):
    here = Root(tmp_path / "here")
    for i in range(40):
        here.file(f"{'x' * (i % 7)}file{i}", bytes(range(256)) * (15 + i % 3) + b"." * (i * 97))
    drupe("pack", here, "-o", out)
    large = [x for x in entries(out) if x[1][6] >= 4096]
    assert len(large) > 20
    for name, fields, body in large:
        assert fields[11] <= 4096
        assert body % 4096 == 0, name
    for name, fields, _ in entries(out):
        if fields[6] < 4096:
            assert fields[11] == len(name) + 1
    assert out.stat().st_size % 512 == 0


def test_pack_keeps_hard_links_with_data_once(tmp_path, out):
    here = Root(tmp_path / "here")
    one = here.file("b/one", "linked " * 2000)
    (here / "a").hardlink_to(one)
    (here / "c").hardlink_to(one)
    here.file("d", "alone")
    outside = here.file("e", "half")
    os.link(outside, tmp_path / "not-packed")
    drupe("pack", here, "-o", out)
    sizes = {x[0]: (x[1][4], x[1][6], x[1][0]) for x in entries(out)}
    assert [sizes[n][:2] for n in ("a", "b/one", "c", "d", "e")] == [(3, 0), (3, 0), (3, 14000), (1, 5), (1, 4)]
    assert sizes["a"][2] == sizes["b/one"][2] == sizes["c"][2] != sizes["d"][2]
    assert line(out, "a").endswith("(3 links)")


def test_pack_gives_equal_bytes_for_equal_input(tmp_path):
    for place in ("one", "two"):
        here = Root(tmp_path / place)
        for name in (("a", "b/c", "z") if place == "one" else ("z", "b/c", "a")):
            here.file(name, name * 5000)
        (here / "link").hardlink_to(here / "a")
        os.utime(here / "a", (5, 5 if place == "one" else 9))
    outs = [drupe("pack", tmp_path / p, "-o", "-")[0] for p in ("one", "two", "one")]
    assert outs[0] == outs[1] == outs[2] and len(outs[0]) > 15000


def test_pack_sets_times_and_owners_as_told(tmp_path, out):
    path = Root(tmp_path / "here").file("x", "x")
    os.utime(path, (1234, 1234))
    drupe("pack", path, "-o", out, env={"SOURCE_DATE_EPOCH": "77"})
    assert line(out, "x") == "f 0644 0:0 77 x = x"
    drupe("pack", path, "-o", out, "--mtime", "88", "--owner", "5:6", env={"SOURCE_DATE_EPOCH": "77"})
    assert line(out, "x") == "f 0644 5:6 88 x = x"
    drupe("pack", path, "-o", out, "--mtime", "keep", "--owner", "keep")
    st = path.stat()
    assert line(out, "x") == f"f 0644 {st.st_uid}:{st.st_gid} 1234 x = x"


def test_pack_leaves_the_old_file_when_it_fails(tmp_path, out):
    out.write_text("old")
    large = tmp_path / "large"
    with large.open("wb") as f:
        f.truncate(1 << 32)
    drupe("pack", large, "-o", out, status=1)
    assert out.read_text() == "old" and sorted(x.name for x in tmp_path.iterdir()) == ["large", "out.cpio"]
    _, error = drupe("pack", Root(tmp_path).file("x", "x"), "-o", tmp_path / "no/where", status=1)
    assert "no/where: No such file or directory" in error


def test_pack_gives_output_the_mode_umask_asks_for(tmp_path, out):
    drupe("pack", Root(tmp_path).file("x", "x"), "-o", out)
    mask = os.umask(0)
    os.umask(mask)
    assert out.stat().st_mode & 0o777 == 0o666 & ~mask


def test_pack_takes_special_files_and_links_of_a_directory_as_they_are(tmp_path, out):
    here = Root(tmp_path / "here")
    os.mkfifo(here / "fifo", 0o600)
    here.link("dangling", "/no/where")
    here.link("loop", "loop")
    drupe("pack", here, "-o", out)
    assert tree(out)[1:] == ["l 0777 0:0 0 dangling -> /no/where", "p 0600 0:0 0 fifo", "l 0777 0:0 0 loop -> loop"]


# ---- misuse and help ----

@pytest.mark.parametrize("arguments, message", [
    ([], "which command?"),
    (["nonsense"], "there is no command nonsense"),
    (["pack", "x"], "where should the archive go?"),
    (["pack", "-o", "x"], "nothing to pack"),
    (["pack", "--nonsense"], "there is no option --nonsense"),
    (["pack", "-o", "x", "--owner", "root", "y"], "--owner is UID:GID or keep"),
    (["pack", "-o", "x", "--mtime", "-1", "y"], "--mtime is not a number"),
    (["ls"], "one FILE is needed"),
    (["ls", "-x", "y"], "there is no option -x"),
    (["deps"], "a PROGRAM is needed"),
])
def test_misuse_is_told_with_status_2(arguments, message):
    _, error = drupe(*arguments, status=2)
    assert message in error and "--help" in error


@pytest.mark.parametrize("command", [[], ["pack"], ["ls"], ["deps"], ["image"]])
def test_help_goes_to_stdout_with_status_0(command):
    output, error = drupe(*command, "--help")
    assert output.startswith(b"Usage: drupe") and error == ""


# ---- deps ----

def test_deps_prints_the_closure_as_a_tree(musl):
    musl.elf("lib/liba.so", ["libb.so"])
    musl.elf("lib/libb.so", ["libc.so"])
    musl.elf("bin/prog", ["liba.so", "libb.so", "libc.so"], MUSL)
    musl.file("run", "#!/bin/prog\n", 0o755)
    output, _ = drupe("deps", "-s", musl, musl / "bin/prog", musl / "run")
    assert output.decode() == """/bin/prog
  /lib/ld-musl-riscv64.so.1 => /lib/libc.so (loader)
  liba.so => /lib/liba.so
    libb.so => /lib/libb.so
      libc.so => /lib/libc.so
  libb.so => /lib/libb.so
  libc.so => /lib/libc.so
/run
  /bin/prog (interpreter)
    /lib/ld-musl-riscv64.so.1 => /lib/libc.so (loader)
    liba.so => /lib/liba.so
      libb.so => /lib/libb.so
        libc.so => /lib/libc.so
    libb.so => /lib/libb.so
    libc.so => /lib/libc.so
"""


def test_deps_shows_what_is_missing_with_status_1(musl):
    musl.elf("bin/prog", ["libgone.so"], MUSL)
    output, error = drupe("deps", "-s", musl, musl / "bin/prog", status=1)
    assert b"libgone.so => not found" in output
    assert error.count("needs libgone.so") == 1


# ---- ls ----

def test_ls_lists_in_long_form(tmp_path, out):
    here = Root(tmp_path)
    here.file("list", "dir /d 1777 0 0\nnod /n 600 0 5 c 5 1\nslink /l t 777 0 0\npipe /p 640 0 0\nsock /s 4755 1 2\n")
    drupe("pack", "-m", here / "list", "-o", out, "--mtime", "86400")
    assert drupe("ls", "-l", out)[0].decode() == """\
drwxrwxrwt  2    0    0          0 1970-01-02 00:00 d
lrwxrwxrwx  1    0    0          1 1970-01-02 00:00 l -> t
crw-------  1    0    5       5, 1 1970-01-02 00:00 n
prw-r-----  1    0    0          0 1970-01-02 00:00 p
srwsr-xr-x  1    1    2          0 1970-01-02 00:00 s
"""


def test_ls_shows_control_bytes_of_names(tmp_path, out):
    Root(tmp_path / "here").file("a\nb", "")
    drupe("pack", tmp_path / "here", "-o", out)
    assert names(out) == ["a\\x0ab"]


def test_ls_reads_standard_input(tmp_path):
    archive, _ = drupe("pack", Root(tmp_path).file("x", "x"), "-o", "-")
    assert drupe("ls", "-", stdin=archive)[0] == b"x\n"


@pytest.mark.parametrize("cut, message", [
    (60, 'entry 1: header needs 110 bytes, 60 remain; archive truncated?'),
    (111, 'entry 1: name needs 2 bytes, 1 remains; archive truncated?'),
    (114, 'entry 1 ("x"): data needs 4 bytes, 2 remain; archive truncated?'),
])
def test_ls_tells_where_an_archive_is_cut(tmp_path, out, cut, message):
    archive, _ = drupe("pack", Root(tmp_path).file("x", "1234"), "-o", "-")
    out.write_bytes(archive[:cut])
    assert message in drupe("ls", out, status=1)[1]


def test_ls_names_what_it_cannot_read(tmp_path, out):
    for data, message in ((b"BZh91AY&SY", "bzip2: not built in"), (b"\x1f\x8b\x08\0", "gzip data at offset 0: it ends too early"), (b"070707", "cpio odc format"), (b"hello", "no cpio header"),
                          (b"", "no archive in it")):
        out.write_bytes(data)
        assert message in drupe("ls", out, status=1)[1]


def descriptor(offset, size):
    return struct.pack("<16sQQQQ", b"DRUPE-INITRD-1", offset, size, 0, 0)


def flat_image(archive, offset=0x3000, size=None):
    image = bytearray(offset)
    image[56:60] = b"RSC\x05"
    image[0x800:0x810] = b"DRUPE-INITRD-1\0\0"  # the magic as a string in the code, with nonsense behind
    image[0x810:0x820] = b"\xff" * 16
    image[0x1008:0x1008 + 48] = descriptor(offset, len(archive) if size is None else size)
    return bytes(image) + archive


def elf_image(archive):
    flat = flat_image(b"", 0x3000, len(archive))
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, 0xffffffff80000000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    base = 0x80200000
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0xffffffff80000000, base, 0x2000, 0x2000, 0x1000)
    segments += struct.pack("<IIQQQQQQ", 1, 4, 0x4000, 0xffffffff80003000, base + 0x3000, len(archive), len(archive), 0x1000)
    return (header + segments).ljust(0x1000, b"\0") + flat[:0x2000].ljust(0x3000, b"\0") + archive


@pytest.mark.parametrize("make", [flat_image, elf_image])
def test_ls_finds_the_archive_inside_a_kernel_image(tmp_path, out, make):
    archive, _ = drupe("pack", Root(tmp_path).file("x", "1234"), "-o", "-")
    out.write_bytes(make(archive))
    assert names(out) == ["x"]


def test_ls_tells_of_images_without_an_archive(tmp_path, out):
    out.write_bytes(flat_image(b"", size=0))
    assert "this kernel carries no archive" in drupe("ls", out, status=1)[1]
    out.write_bytes(flat_image(b"", size=100))
    assert "file truncated?" in drupe("ls", out, status=1)[1]
    out.write_bytes(flat_image(b"")[:0x800])
    assert "without an archive's descriptor" in drupe("ls", out, status=1)[1]


# ---- other tools ----

@pytest.fixture
def sample(tmp_path):
    """A tree of everything an unprivileged user can make."""
    here = Root(tmp_path / "sample")
    here.file("etc/passwd", "root::0:0", 0o640)
    here.file("bin/large", bytes(range(256)) * 100, 0o755)
    here.file("bin/empty", "", 0o4755)
    (here / "bin/hard-1").hardlink_to(here / "bin/large")
    (here / "z-hard-2").hardlink_to(here / "bin/large")
    here.link("bin/soft", "../etc/passwd")
    os.mkfifo(here / "fifo", 0o600)
    (here / "etc").chmod(0o750)
    for path in (*here.path.rglob("*"), here.path):
        os.utime(path, (1000000, 1000000), follow_symlinks=False)
    return here


def expected(sample):
    """The lines that unpack-to-text gives of the sample."""
    st = sample.path.stat()
    owner = f"{st.st_uid}:{st.st_gid} 1000000"
    fnv = 2166136261
    for byte in bytes(range(256)) * 100:
        fnv = (fnv ^ byte) * 16777619 & 0xffffffff
    large = f"25600 bytes, FNV {fnv:08x} (3 links)"
    return [f"d 0755 {owner} bin", f"f 4755 {owner} bin/empty = ", f"f 0755 {owner} bin/hard-1 = {large}",
            f"f 0755 {owner} bin/large = {large}", f"l 0777 {owner} bin/soft -> ../etc/passwd", f"d 0750 {owner} etc",
            f"f 0640 {owner} etc/passwd = root::0:0", f"p 0600 {owner} fifo", f"f 0755 {owner} z-hard-2 = {large}"]


@pytest.mark.parametrize("command", [
    ["cpio", "-o", "-H", "newc"], ["cpio", "-o", "-H", "crc"], ["bsdcpio", "-o", "-H", "newc"],
    ["bsdtar", "-cf", "-", "--format", "newc", "--no-recursion", "-T", "-"],
])
@pytest.mark.parametrize("order", ["find . -mindepth 1", "find . -mindepth 1 -depth", "find . -mindepth 1 | sed 's,^\\./,,' | sort -r"])
def test_archives_of_other_tools_are_unpacked_exactly(sample, out, command, order):
    listed = subprocess.run(order, shell=True, cwd=sample.path, capture_output=True, check=True).stdout
    out.write_bytes(subprocess.run(command, input=listed, cwd=sample.path, capture_output=True, check=True).stdout)
    assert tree(out)[1:] == expected(sample)
    assert len(names(out)) == 9


@pytest.mark.parametrize("command", [
    ["cpio", "-idm", "--no-absolute-filenames"], ["bsdcpio", "-idm"], ["bsdtar", "-xpf", "-"],
])
def test_archives_made_here_are_unpacked_by_other_tools_exactly(sample, tmp_path, out, command):
    pack = ("pack", "--mtime", "1000000", "--owner", "keep")  # GNU cpio does not restore directories' times
    drupe(*pack, sample, "-o", out)
    assert tree(out)[1:] == expected(sample)
    copy = tmp_path / "copy"
    copy.mkdir()
    done = subprocess.run(command, stdin=out.open("rb"), cwd=copy, capture_output=True, check=True)
    assert b"skipped" not in done.stderr and b"junk" not in done.stderr
    assert (copy / "bin/large").stat().st_mtime == 1000000
    again = tmp_path / "again.cpio"
    drupe(*pack, copy, "-o", again)
    assert tree(again)[1:] == expected(sample)
    assert again.read_bytes() == out.read_bytes()


def test_archives_are_laid_over_each_other(tmp_path):
    here = Root(tmp_path)
    here.file("one/etc/x", "1")
    here.file("two/etc/x", "2")
    here.file("two/etc/y", "3")
    for name in ("one", "two"):
        drupe("pack", here / name, "-o", here / f"{name}.cpio")
    both = here.file("both.cpio", (here / "one.cpio").read_bytes() + (here / "two.cpio").read_bytes())
    assert tree(both) == tree(here / "one.cpio", here / "two.cpio")
    assert tree(both)[2:] == ["f 0644 0:0 0 etc/x = 2", "f 0644 0:0 0 etc/y = 3"]
