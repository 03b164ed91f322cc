# SPDX-License-Identifier: MIT
"""The closure, proven: who needs what, versions and symbols, and what is opened without being NEEDED."""
import struct

import pytest

from packing import GLIBC, MUSL, dlopen_note, drupe, names


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
    assert why(glibc, GLIBC, "usr/bin/prog")[0] == [f"/usr/bin/prog -> {GLIBC} (loader)"]


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


# ---- symbol versions ----

OLD, NEW = "V_1.0 { f; };", "V_1.0 { f; }; V_2.0 { g; } V_1.0;"
FUNCTIONS = "void f(void) {} void g(void) {}"
VERNEED, VERDEF = 0x6ffffffe, 0x6ffffffc
CALLS_BOTH = "void f(void); void g(void); void start(void) { f(); g(); }"


def built_for_another_release(root, link, loader, name="bin/prog"):
    """A program built against the new library, in a root with the old one."""
    new = root.elf("new/libv.so.1", soname="libv.so.1", versions=NEW, source=FUNCTIONS)
    root.elf(name, link, loader, link=[new], source=CALLS_BOTH)
    return root.elf("usr/lib/libv.so.1", soname="libv.so.1", versions=OLD, source=FUNCTIONS)


def test_versions_that_are_defined_are_not_talked_about(glibc, out):
    new = glibc.elf("usr/lib/libv.so.1", soname="libv.so.1", versions=NEW, source=FUNCTIONS)
    glibc.elf("usr/bin/prog", [], GLIBC, link=[new], source=CALLS_BOTH)
    assert drupe("pack", "-s", glibc, glibc / "usr/bin/prog", "-o", out)[1] == ""


def test_a_version_that_is_not_defined_stops_packing_with_both_sides_named(glibc, out):
    library = built_for_another_release(glibc, [], GLIBC)
    _, error = drupe("pack", "-s", glibc, glibc / "bin/prog", "-o", out, status=1)
    assert "/bin/prog needs version V_2.0 of libv.so.1, which /usr/lib/libv.so.1 does not define" in error
    assert f"needed by  {glibc}/bin/prog" in error and f"found in   {library}" in error and "it defines V_1.0\n" in error
    assert error.count("V_2.0") == 1 and not out.exists()


def test_a_librarys_versions_are_checked_once_for_all_programs(glibc, out):
    new = glibc.elf("new/libv.so.1", soname="libv.so.1", versions=NEW, source=FUNCTIONS)
    glibc.elf("usr/lib/libuser.so", soname="libuser.so", link=[new], source=CALLS_BOTH)
    glibc.elf("usr/lib/libv.so.1", soname="libv.so.1", versions=OLD, source=FUNCTIONS)
    for name in ("one", "two"):
        glibc.elf(f"usr/bin/{name}", ["libuser.so"], GLIBC)
    _, error = drupe("pack", "-s", glibc, glibc / "usr/bin", "-o", out, status=1)
    assert error.count("/usr/lib/libuser.so needs version V_2.0") == 1


def test_versions_are_a_hint_where_the_loader_does_not_insist(musl, out):
    built_for_another_release(musl, ["libc.so"], MUSL)
    _, error = drupe("pack", "-s", musl, musl / "bin/prog", "-o", out)
    assert "note: /bin/prog needs version V_2.0 of libv.so.1" in error and "the loader goes on" in error


def test_a_library_without_versions_is_a_hint(glibc, out):
    built_for_another_release(glibc, [], GLIBC)
    glibc.elf("usr/lib/libv.so.1", soname="libv.so.1", source=FUNCTIONS)
    _, error = drupe("pack", "-s", glibc, glibc / "bin/prog", "-o", out)
    assert "V_1.0 of libv.so.1, which /usr/lib/libv.so.1 does not define: it has no versions; the loader goes on" in error


def test_a_version_of_what_is_not_loaded_stops_packing(glibc, out):
    built_for_another_release(glibc, [], GLIBC)
    prog, needed = glibc / "bin/prog", b"libv.so.1\0"
    data = prog.read_bytes()
    assert data.count(needed) == 1
    offset = dynamic_entry(data, 1)  # DT_NEEDED becomes a tag that nobody reads
    prog.write_bytes(data[:offset] + struct.pack("<Q", 0x6ffffef0) + data[offset + 8:])
    _, error = drupe("pack", "-s", glibc, prog, "-o", out, status=1)
    assert "of libv.so.1, but it does not need libv.so.1 itself" in error


def dynamic_entry(data, tag):
    """The offset of the first entry of this tag."""
    phoff, phnum = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    for i in range(phnum):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, phoff + 56 * i)
        for at in range(offset, offset + size if kind == 2 else offset, 16):
            if struct.unpack_from("<Q", data, at)[0] == tag:
                return at
    raise AssertionError("no such entry")


@pytest.mark.parametrize("tag, at, value", [
    (VERNEED, 4, 0x7ffffff0), (VERNEED, 8, 0xfffffff0), (VERNEED, 8, 0), (VERNEED, 16 + 8, 0x7ffffff0), (VERNEED, 16 + 12, 0),
    (VERDEF, 12, 0xfffffff0), (VERDEF, 16, 0xfffffff0), (VERDEF, 16, 0), (VERDEF, 20, 0x7ffffff0),
])
def test_damaged_versions_are_named(glibc, out, tag, at, value):
    new = glibc.elf("new/libv.so.1", soname="libv.so.1", versions=NEW, source=FUNCTIONS)
    prog = glibc.elf("usr/lib/libp.so", link=[new], versions="P_1 { start; }; P_2 { other; };", source=CALLS_BOTH + "void other(void) {}")
    glibc.elf("usr/lib/libv.so.1", soname="libv.so.1", versions=NEW, source=FUNCTIONS)
    data = bytearray(prog.read_bytes())
    offset = struct.unpack_from("<Q", data, dynamic_entry(data, tag) + 8)[0]
    struct.pack_into("<I", data, offset + at, value)
    prog.write_bytes(data)
    _, error = drupe("pack", "-s", glibc, prog, "-o", out, status=1)
    assert "has damaged symbol versions" in error


# ---- .note.dlopen ----

START = "void start(void) {}"


def opens(root, *notes, loader=MUSL, name="bin/prog"):
    """A program whose note says what it opens: notes are (priority, soname...) or the text itself."""
    values = [n if isinstance(n, dict) else {"priority": n[0], "soname": n[1:], "feature": "zip", "description": "Packs things"} for n in notes]
    return root.elf(name, ["libc.so"] if loader == MUSL else [], loader, source=START + dlopen_note(values))


@pytest.mark.parametrize("priority", ["required", "recommended"])
def test_what_a_note_says_is_opened_goes_in_with_what_that_needs(musl, out, priority):
    musl.elf("lib/libz.so.1", ["libdeep.so"])
    musl.elf("lib/libdeep.so")
    prog = opens(musl, (priority, "libz.so.1"))
    assert drupe("pack", "-s", musl, prog, "-o", out)[1] == ""
    assert {"lib/libz.so.1", "lib/libdeep.so"} <= set(names(out))
    assert b"  libz.so.1 => /lib/libz.so.1 (dlopen)\n    libdeep.so" in drupe("deps", "-s", musl, prog)[0]
    assert why(musl, "libdeep.so", "bin/prog")[0] == ["/bin/prog -> /lib/libz.so.1 -> libdeep.so"]
    assert why(musl, "libz.so.1", "bin/prog")[0] == ["/bin/prog -> libz.so.1 (dlopen)"]


def test_a_library_that_is_opened_may_open_others(musl, out):
    opens(musl, ("required", "libz.so.1"), loader=None, name="lib/liba.so")
    opens(musl, ("required", "libb.so"), loader=None, name="lib/libz.so.1")
    opens(musl, ("required", "liba.so"), loader=None, name="lib/libb.so")
    drupe("pack", "-s", musl, opens(musl, ("required", "liba.so")), "-o", out)
    assert {"lib/liba.so", "lib/libz.so.1", "lib/libb.so"} <= set(names(out))


def test_of_alternative_names_the_first_that_is_there_goes_in(musl, out):
    musl.elf("lib/libz.so.1")
    musl.elf("lib/libz.so.2")
    drupe("pack", "-s", musl, opens(musl, ("required", "libz.so.3", "libz.so.2", "libz.so.1")), "-o", out)
    assert "lib/libz.so.2" in names(out) and "lib/libz.so.1" not in names(out)


def test_a_required_library_that_is_missing_stops_packing(musl, out):
    prog = opens(musl, ("required", "libz.so.2", "libz.so.1"))
    _, error = drupe("pack", "-s", musl, prog, "-o", out, status=1)
    assert "/bin/prog opens libz.so.2 or libz.so.1, for zip (Packs things): required, but in none of the places searched" in error
    assert f"opened by  {prog} (.note.dlopen)" in error and f"in sysroot {musl}" in error and not out.exists()


def test_a_required_library_for_another_machine_stops_packing(musl, out):
    musl.elf("lib/libz.so.1", machine=62)
    _, error = drupe("pack", "-s", musl, opens(musl, ("required", "libz.so.1")), "-o", out, status=1)
    assert "required, but /lib/libz.so.1" in error and "is for x86-64" in error


def test_a_recommended_library_that_is_missing_is_a_hint(musl, out):
    opens(musl, {"soname": ["libz.so.1"]})  # recommended is what a note without a priority means
    _, error = drupe("pack", "-s", musl, musl / "bin/prog", "-o", out)
    assert "note: /bin/prog opens libz.so.1: recommended, but not in the archive nor in the sysroots" in error


def test_a_suggested_library_is_a_hint_unless_it_goes_in(musl, out):
    musl.elf("lib/libz.so.1")
    prog = opens(musl, ("suggested", "libz.so.1"))
    _, error = drupe("pack", "-s", musl, prog, "-o", out)
    assert "note: /bin/prog may open libz.so.1, for zip (Packs things); --also libz.so.1 adds it" in error
    assert "lib/libz.so.1" not in names(out)
    assert drupe("pack", "-s", musl, prog, "--also", "libz.so.1", "-o", out)[1] == ""


@pytest.mark.parametrize("text, problem", [
    (b"", "a value is expected"),
    (b"[", "a value is expected"),
    (b"[{]", "a string is expected"),
    (b'[{"soname":["a"]} x', "',' or ']' is expected"),
    (b'[{"soname":["a"]}] x', "something follows the value"),
    (b'[{"soname":["a"],}]', "a string is expected"),
    (b'[{"soname":["a"],"soname":["b"]}]', "a key is there twice"),
    (b'[{"soname" ["a"]}]', "':' is expected"),
    (b'[{"soname":["a\\x"]}]', "an unknown escape"),
    (b'[{"soname":["a\\u00g0"]}]', "four hex digits"),
    (b'[{"soname":["a\\u0000"]}]', "a NUL in a string"),
    (b'[{"soname":["\\ud800"]}]', "half a surrogate pair"),
    (b'[{"soname":["\\udc00"]}]', "half a surrogate pair"),
    (b'[{"soname":["\xff"]}]', "not UTF-8"),
    (b'[{"soname":["\xc0\x80"]}]', "not UTF-8"),
    (b'[{"soname":["a\n"]}]', "a control byte"),
    (b'[{"soname":["a', "does not end"),
    (b'[{"soname":["a"],"x":01}]', "a number is malformed"),
    (b'[{"soname":["a"],"x":1.}]', "a number is malformed"),
    (b'[{"soname":["a"],"x":-}]', "a number is malformed"),
    (b'[{"soname":["a"],"x":nul}]', "a value is expected"),
    (b"[" * 40, "nested too deep"),
    (b"{}", "not an array of objects"),
    (b"[1]", "not an array of objects"),
    (b"[{}]", "soname is not an array of names"),
    (b'[{"soname":[]}]', "soname is not an array of names"),
    (b'[{"soname":[""]}]', "soname is not an array of names"),
    (b'[{"soname":[7]}]', "soname is not an array of names"),
    (b'[{"soname":["a"],"priority":"Required"}]', "neither required, recommended nor suggested"),
    (b'[{"soname":["a"],"priority":1}]', "is not a string"),
])
def test_a_note_that_is_not_understood_is_told_of(musl, out, text, problem):
    prog = musl.elf("bin/prog", ["libc.so"], MUSL, source=START + dlopen_note(text))
    _, error = drupe("pack", "-s", musl, prog, "-o", out)
    assert f"note: {prog} has a .note.dlopen that is not understood" in error and problem in error


def test_a_note_is_read_with_all_that_json_allows(musl, out):
    text = rb' [ { "x" : [ -1.5e+3 , 0, true, false, null, {} ] , "soname" : [ "lib\u007a\/\\\"\u00e9\ud83d\ude00.so" ] } ] '
    prog = musl.elf("bin/prog", ["libc.so"], MUSL, source=START + dlopen_note(text))
    _, error = drupe("pack", "-s", musl, prog, "-o", out)
    assert '/bin/prog opens libz/\\"\u00e9\U0001f600.so: recommended' in error


def test_notes_of_others_are_passed_over(musl, out):
    broken = dlopen_note(b"{", owner=b"ABC\0") + dlopen_note(b"{", kind=3)
    musl.elf("lib/libz.so.1")
    prog = musl.elf("bin/prog", ["libc.so"], MUSL, source=START + broken + dlopen_note([{"soname": ["libz.so.1"]}]))
    assert drupe("pack", "-s", musl, prog, "-o", out)[1] == "" and "lib/libz.so.1" in names(out)


# ---- what glibc opens by itself ----

def calls(root, *functions, name="usr/bin/prog", **more):
    """A program for glibc that calls these functions of its libc."""
    source = "".join(f"int {f}(void);" for f in functions) + "void start(void) {" + "".join(f"{f}();" for f in functions) + "}"
    root.elf("stub/libc.so.6", soname="libc.so.6", source="".join(f"int {f}(void) {{ return 0; }}" for f in functions))
    return root.elf(name, [], GLIBC, link=[root / "stub/libc.so.6"], source=source, **more)


def test_libgcc_goes_in_with_glibc_where_the_sysroot_has_it(glibc, out):
    prog = calls(glibc)
    drupe("pack", "-s", glibc, prog, "-o", out)
    glibc.elf("usr/lib/libgcc_s.so.1", ["libdeep.so"])
    glibc.elf("usr/lib/libdeep.so")
    assert "usr/lib/libgcc_s.so.1" not in names(out)
    assert drupe("pack", "-s", glibc, prog, "-o", out)[1] == ""
    assert {"usr/lib/libgcc_s.so.1", "usr/lib/libdeep.so"} <= set(names(out))
    assert b"    libgcc_s.so.1 => /usr/lib/libgcc_s.so.1 (opened by glibc)\n" in drupe("deps", "-s", glibc, prog)[0]


@pytest.mark.parametrize("function", ["pthread_cancel", "pthread_exit", "backtrace"])
def test_a_missing_libgcc_is_a_hint_where_it_will_be_needed(glibc, out, function):
    _, error = drupe("pack", "-s", glibc, calls(glibc, function), "-o", out)
    assert f"note: /usr/bin/prog uses {function}, for which glibc opens libgcc_s.so.1" in error


def test_libgcc_stays_out_of_archives_for_musl(musl, out):
    musl.elf("lib/libgcc_s.so.1")
    drupe("pack", "-s", musl, musl.elf("bin/prog", ["libc.so"], MUSL), "-o", out)
    assert "lib/libgcc_s.so.1" not in names(out)


NSS_CONF = "# comment: no\npasswd: files systemd # yes: no\nhosts:\tfiles mymachines [!UNAVAIL=return action] dns\n"


def test_services_of_nsswitch_conf_are_named_in_hints(glibc, out):
    glibc.elf("usr/lib/riscv64-linux-gnu/libc.so.6", soname="libc.so.6", versions="GLIBC_2.34 { start; };")
    glibc.file("etc/nsswitch.conf", NSS_CONF)
    prog = calls(glibc, "getaddrinfo")
    calls(glibc, "getpwnam", name="usr/bin/other")
    _, error = drupe("pack", "-s", glibc, prog, glibc / "usr/bin/other", glibc / "etc", "-o", out)
    said = [x for x in error.splitlines() if "libnss" in x]
    assert len(said) == 2 and "action" not in error
    assert "for which glibc opens libnss_systemd.so.2, as /etc/nsswitch.conf has it; --also libnss_systemd.so.2 adds it" in error
    assert "libnss_mymachines.so.2" in error
    glibc.elf("usr/lib/libnss_systemd.so.2")
    _, error = drupe("pack", "-s", glibc, prog, glibc / "etc", "--also", "libnss_systemd.so.2", "-o", out)
    assert "libnss_mymachines" in error and "libnss_systemd" not in error
    _, error = drupe("pack", "-s", glibc, prog, "-o", out)
    assert "libnss_systemd.so.2, if /etc/nsswitch.conf of the sysroot goes in" in error


def test_services_that_an_older_glibc_opens_by_default_are_named_in_hints(glibc, out):
    _, error = drupe("pack", "-s", glibc, calls(glibc, "getpwnam_r"), "-o", out)
    assert "/usr/bin/prog uses getpwnam_r, for which glibc opens libnss_files.so.2, by default" in error and "libnss_dns.so.2" in error


def test_programs_that_look_nothing_up_get_no_hints(glibc, out):
    glibc.file("etc/nsswitch.conf", NSS_CONF)
    assert drupe("pack", "-s", glibc, calls(glibc), "-o", out)[1] == ""


@pytest.fixture
def gconv(glibc):
    """glibc with iconv modules, and a program that converts."""
    folder = "usr/lib/riscv64-linux-gnu/gconv/"
    glibc.file(folder + "gconv-modules", "# alias\nalias L1// LATIN1//\nalias\tLATIN1//\t\tISO-8859-1//\n"
               "module ISO-8859-1// INTERNAL ISO8859-1 1\nmodule INTERNAL ISO-8859-1// ISO8859-1 1\nmodule GONE// INTERNAL GONE 1\n")
    glibc.file(folder + "gconv-modules.d/more.conf", "module INTERNAL EUC-JP// EUC-JP.so 1\nalias LOOP// LOOP//")
    glibc.elf(folder + "ISO8859-1.so")
    glibc.elf(folder + "EUC-JP.so", ["libJIS.so"], runpath="$ORIGIN")
    glibc.elf(folder + "libJIS.so")
    calls(glibc, "iconv_open")
    return glibc


def packed_modules(archive):
    return [n.rpartition("/")[2] for n in names(archive) if "/gconv/" in n and not n.endswith(".d")]


def test_gconv_adds_a_character_sets_modules_and_what_they_need(gconv, out):
    def pack(*charsets):
        options = [x for c in charsets for x in ("--gconv", c)]
        assert drupe("pack", "-s", gconv, gconv / "usr/bin/prog", *options, "-o", out)[1] == ""
        return packed_modules(out)
    assert pack("l1") == ["ISO8859-1.so", "gconv-modules", "more.conf"]
    assert pack("EUC-JP//", "ISO-8859-1") == ["EUC-JP.so", "ISO8859-1.so", "gconv-modules", "more.conf", "libJIS.so"]


def test_programs_that_convert_get_a_hint(gconv, out):
    _, error = drupe("pack", "-s", gconv, gconv / "usr/bin/prog", "-o", out)
    assert "note: /usr/bin/prog uses iconv_open" in error and "--gconv NAME adds" in error


@pytest.mark.parametrize("charset, message", [
    ("KLINGON", "--gconv KLINGON: no line of /lib/riscv64-linux-gnu/gconv/gconv-modules or gconv-modules.d/*.conf is for it"),
    ("loop", "--gconv loop: no line of"),
    ("GONE", "/gconv/GONE.so is listed in gconv-modules, but neither in the archive nor in a sysroot"),
])
def test_gconv_names_what_is_not_there(gconv, out, charset, message):
    assert message in drupe("pack", "-s", gconv, "--gconv", charset, "-o", out, status=1)[1]


def test_gconv_tells_of_a_sysroot_without_modules_and_of_built_in_sets(glibc, out):
    _, error = drupe("pack", "-s", glibc, "--gconv", "LATIN1", "-o", out, status=1)
    assert "--gconv LATIN1: there is no gconv/gconv-modules in the library directories" in error and f"in sysroot {glibc}" in error
    assert "glibc has it built in" in drupe("pack", "-s", glibc, calls(glibc), "--gconv", "utf-8", "-o", out)[1]


# ---- undefined symbols ----

NEEDS_F = "void f(void); void start(void) { f(); }"
WEAK_F = "__attribute__((weak)) void f(void); void start(void) { if (f) f(); }"


def test_symbols_that_are_defined_somewhere_are_not_talked_about(musl, out):
    musl.elf("lib/liba.so", ["libb.so"], source=NEEDS_F)
    musl.elf("lib/libb.so", source="void f(void) {}")
    prog = musl.elf("bin/prog", ["liba.so"], MUSL, source=WEAK_F.replace("f()", "g()").replace("f(void)", "g(void)").replace("(f)", "(g)"))
    assert drupe("pack", "--check-symbols", "-s", musl, prog, "-o", out)[1] == ""


def test_a_symbol_that_nothing_defines_stops_packing_when_asked_for(musl, out):
    library = musl.elf("lib/liba.so", source=NEEDS_F)
    prog = musl.elf("bin/prog", ["liba.so"], MUSL)
    assert drupe("pack", "-s", musl, prog, "-o", out)[1] == ""
    _, error = drupe("pack", "--check-symbols", "-s", musl, prog, "-o", out, status=1)
    assert "/lib/liba.so needs 1 symbol that nothing it is loaded with defines:" in error and "symbol     f\n" in error
    assert f"needed by  {library}" in error and f"loaded for {prog}" in error
    assert "needs 1 symbol" in drupe("deps", "--check-symbols", "-s", musl, prog, status=1)[1]


def test_a_symbol_of_another_version_is_not_it(glibc, out):
    new = glibc.elf("new/libv.so.1", soname="libv.so.1", versions="V_1.0 { f; }; V_2.0 { g; };", source=FUNCTIONS)
    prog = glibc.elf("usr/bin/prog", [], GLIBC, link=[new], source=CALLS_BOTH)
    glibc.elf("usr/lib/libv.so.1", soname="libv.so.1", versions="V_1.0 { f; g; }; V_2.0 { h; };", source=FUNCTIONS + "void h(void) {}")
    _, error = drupe("pack", "--check-symbols", "-s", glibc, prog, "-o", out, status=1)
    assert "symbol     g, version V_2.0\n" in error and "symbol     f" not in error


def test_a_plugin_may_use_the_symbols_of_its_program(musl, out):
    musl.elf("lib/plugin.so", source=NEEDS_F)
    prog = musl.elf("bin/prog", ["libc.so"], MUSL, source="void f(void) {} void start(void) {}", flags=["-Wl,-export-dynamic"])
    assert drupe("pack", "--check-symbols", "-s", musl, prog, "--also", "plugin.so", "-o", out)[1] == ""
    other = musl.elf("bin/other", ["libc.so"], MUSL)
    _, error = drupe("pack", "--check-symbols", "-s", musl, other, "--also", "plugin.so", "-o", out, status=1)
    assert "/lib/plugin.so needs 1 symbol that nothing in the archive defines" in error


@pytest.mark.parametrize("hash_style", ["sysv", "gnu", "both"])
@pytest.mark.parametrize("sections", [True, False])
def test_symbols_are_found_by_each_kind_of_table(musl, out, hash_style, sections):
    functions = [f"f{i}" for i in range(50)]
    library = musl.elf("lib/liba.so", source="".join(f"void {f}(void) {{}}" for f in functions), soname="liba.so", flags=[f"-Wl,--hash-style={hash_style}"])
    source = "".join(f"void {f}(void);" for f in functions) + "void start(void) {" + "".join(f"{f}();" for f in functions) + "}"
    prog = musl.elf("bin/prog", [], MUSL, source=source, link=[library], flags=[f"-Wl,--hash-style={hash_style}", "-Wl,-export-dynamic"])
    if not sections:
        for path in (library, prog):
            without_sections(path)
    assert drupe("pack", "--check-symbols", "-s", musl, prog, "-o", out)[1] == ""
    without_definitions = musl.elf("lib/liba.so")
    _, error = drupe("pack", "--check-symbols", "-s", musl, prog, "-o", out, status=1)
    assert without_definitions and "/bin/prog needs 50 symbols" in error and "and 30 more" in error


def without_sections(path):
    data = bytearray(path.read_bytes())
    data[40:48], data[58:64] = bytes(8), bytes([64, 0, 0, 0, 0, 0])
    path.write_bytes(data)


def test_a_symbol_table_outside_the_file_is_named(musl, out):
    prog = musl.elf("bin/prog", ["libc.so"], MUSL, flags=["-Wl,-export-dynamic"])
    data = bytearray(prog.read_bytes())
    struct.pack_into("<Q", data, dynamic_entry(data, 6) + 8, 1 << 40)
    prog.write_bytes(data)
    assert "has a damaged dynamic section: its symbols are outside the file" in drupe("pack", prog, "-s", musl, "-o", out, status=1)[1]
