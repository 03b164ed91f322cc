# SPDX-License-Identifier: MIT
"""Input that is odd, hostile, or changes while it is read."""
import os
import pathlib
import subprocess

import pytest

from packing import BUILD, MUSL, Root, drupe, entries, line, names


@pytest.fixture(scope="session")
def fickle(tmp_path_factory):
    """The preloaded library fickle.c."""
    library = tmp_path_factory.mktemp("fickle") / "fickle.so"
    source = pathlib.Path(__file__).with_name("fickle.c")
    subprocess.run([os.environ.get("HOSTCC", "gcc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def preloaded(library, **variables):
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0", **variables}


def without_rights(*arguments):
    """Runs the command as somebody for whom permissions hold; gives the exit status and stderr."""
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run([*drop, BUILD / "drupe", *map(str, arguments)], capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


# ---- files that are one, and files that look like it ----

def test_identical_files_stay_apart(tmp_path, out):
    here = Root(tmp_path / "here")
    here.file("a", "same " * 1000)
    here.file("b", "same " * 1000)
    drupe("pack", here, "-o", out)
    found = {x[0]: x[1] for x in entries(out)}
    assert found["a"][0] != found["b"][0] and [found[n][4] for n in "ab"] == [1, 1] and found["a"][6] == found["b"][6] == 5000


def test_identical_files_may_claim_one_path(tmp_path, out):
    one, two = Root(tmp_path / "one"), Root(tmp_path / "two")
    one.file("etc/x", "same")
    two.file("etc/x", "same")
    drupe("pack", one, two, "-o", out)
    assert names(out) == ["etc", "etc/x"]


def test_hard_links_go_in_as_one_file_from_anywhere(tmp_path, out):
    one, two = Root(tmp_path / "one"), Root(tmp_path / "two")
    (two / "b").hardlink_to(one.file("a", "linked"))
    drupe("pack", one, two, f"/c/d={two}/b", "-o", out)
    assert line(out, "a").endswith("(3 links)") and [x[1][6] for x in entries(out) if x[1][6]] == [6]


def test_inodes_that_differ_in_their_upper_half_are_not_hard_links(tmp_path, out, fickle):
    here = Root(tmp_path / "here")
    for name in ("a", "c"):
        (here / (name + "2")).hardlink_to(here.file(name, name * 10))
    drupe("pack", here, "-o", out, env=preloaded(fickle, FICKLE_INODES="1"))
    found = {x[0]: x[1] for x in entries(out)}
    assert found["a"][0] == found["a2"][0] != found["c"][0] == found["c2"][0]
    assert [found[n][6] for n in ("a", "a2", "c", "c2")] == [0, 10, 0, 10]


# ---- large and sparse ----

def test_all_files_of_4_gib_are_named_before_anything_is_written(tmp_path, out):
    here = Root(tmp_path / "here")
    for name, size in (("one", 1 << 32), ("two", 1 << 40)):
        with here.file(name).open("wb") as f:
            f.truncate(size)
    _, error = drupe("pack", here, "-o", out, status=1)
    assert "one has 4294967296 bytes; the format's limit is 4294967295" in error and "two has 1099511627776 bytes" in error
    assert not out.exists()


def test_sparse_files_are_packed_with_their_holes_as_zeros(tmp_path, out):
    path = Root(tmp_path / "here").file("sparse")
    with path.open("r+b") as f:
        f.seek(3 << 20)
        f.write(b"middle")
        f.truncate(5 << 20)
    drupe("pack", path, "-o", out)
    (_, fields, at), _ = entries(out)
    assert fields[6] == 5 << 20 and out.read_bytes()[at:at + fields[6]] == path.read_bytes()


# ---- what cannot be read ----

def test_everything_that_is_unreadable_is_named(tmp_path, out):
    here = Root(tmp_path / "here")
    here.file("secret", "s", 0)
    here.file("other", "s", 0)
    here.file("closed/x", "x")
    (here / "closed").chmod(0)
    status, error = without_rights("pack", here, "-o", out)
    (here / "closed").chmod(0o755)
    assert status == 1 and not out.exists()
    for name in ("secret", "other", "closed"):
        assert f"{here}/{name}: Permission denied" in error, error


def test_an_unreadable_part_of_a_sysroot_is_named(musl, out):
    musl.elf("lib/libx.so")
    prog = musl.elf("bin/prog", ["libx.so"], MUSL)
    musl.file("usr/lib/x/y", "x")
    (musl / "usr/lib").chmod(0)
    os.rename(musl / "lib/libx.so", musl / "hidden")
    status, error = without_rights("pack", "-s", musl, prog, "-o", out)
    also, also_error = without_rights("pack", "-s", musl, musl / "usr", "-o", out)
    (musl / "usr/lib").chmod(0o755)
    assert status == also == 1 and f"{musl}/usr/lib/libx.so: Permission denied" in error
    assert f"{musl}/usr/lib: Permission denied" in also_error


# ---- names ----

ODD = [b"new\nline", b"tab\t", b"\x1b[31mred", b"\xff\xfe", b"caf\xc3\xa9", b"cut\xc3", b"back\\slash", b" ", b"-o", b"del\x7f",
       b"long\xc0\x80", b"c1\xc2\x85", b"=", b"*", b"sur\xed\xa0\x80"]


def test_names_of_any_bytes_are_packed_as_they_are(tmp_path, out):
    here = Root(tmp_path / "here")
    for name in ODD:
        pathlib.Path(os.fsdecode(os.fsencode(here.path) + b"/" + name)).write_bytes(name)
    drupe("pack", here, "-o", out)
    listed = drupe("ls", out)[0].decode()
    assert len(listed.split("\n")) == len(ODD) + 1
    for shown in (r"new\x0aline", r"tab\x09", r"\x1b[31mred", r"\xff\xfe", "café", r"cut\xc3", r"back\x5cslash", r"del\x7f", r"long\xc0\x80",
                  r"c1\xc2\x85", r"sur\xed\xa0\x80"):
        assert shown in listed.split("\n"), shown
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["cpio", "-idm", "--quiet"], stdin=out.open("rb"), cwd=folder, check=True)
    assert sorted(os.listdir(os.fsencode(folder))) == sorted(ODD)


def test_messages_show_odd_names_in_one_line(tmp_path, out):
    path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\nb\x1b\xff\xc3\xa9"))
    with path.open("wb") as f:
        f.truncate(1 << 32)
    _, error = drupe("pack", path, "-o", out, status=1)
    assert rf"{tmp_path}/a\x0ab\x1b\xffé has 4294967296 bytes" in error and error.count("\n") == 2


# ---- symlinks ----

def test_a_loop_of_symlinks_is_named_where_a_library_is_looked_for(musl, out):
    musl.link("lib/libx.so", "liby.so")
    musl.link("lib/liby.so", "libx.so")
    prog = musl.elf("bin/prog", ["libx.so"], MUSL)
    _, error = drupe("pack", "-s", musl, prog, "-o", out, status=1)
    assert "/bin/prog needs libx.so, but /lib/libx.so is a loop of symlinks" in error


def test_loops_of_directories_are_packed_as_symlinks(musl, out):
    musl.file("d/x", "x")
    musl.link("d/self", ".")
    musl.link("d/up", "..")
    for arguments in ([musl / "d"], ["-s", musl, musl / "d"]):
        drupe("pack", *arguments, "-o", out)
        assert [x.rpartition("/")[2] for x in names(out)][-3:] == ["self", "up", "x"]


@pytest.mark.parametrize("argument", ["loop", "loop/x", "d=loop"])
def test_an_argument_that_is_a_loop_is_named(tmp_path, out, argument):
    Root(tmp_path).link("loop", "loop")
    _, error = drupe("pack", argument, "-o", out, cwd=tmp_path, status=1)
    assert f"{argument.replace('d=', '')}: Too many levels of symbolic links" in error


# ---- files that change while they are packed ----

@pytest.mark.parametrize("when, what, message", [
    ("open 1", "unlink", "data: No such file or directory"),
    ("open 2", "unlink", "data: No such file or directory"),
    ("open 2", "truncate", "data changed while it was packed"),
    ("open 2", "append", "data changed while it was packed"),
    ("open 2", "replace", "data was replaced while it was packed"),
    ("open 1", "fifo", "data was replaced while it was packed"),
    ("open 2", "fifo", "data was replaced while it was packed"),
    ("read", "truncate", "data changed while it was packed"),
    ("read", "append", "data changed while it was packed"),
    ("read", "write", "data changed while it was packed"),
])
def test_a_file_that_changes_is_named_and_nothing_is_written(tmp_path, out, fickle, when, what, message):
    here = Root(tmp_path / "here")
    path = here.file("data", "data " * 100000)
    if what == "replace":
        here.file("data.other", "data " * 100000)
    out.write_text("old")
    _, error = drupe("pack", path, "-o", out, status=1,
                     env=preloaded(fickle, FICKLE_FILE="/here/data", FICKLE_AT=when, FICKLE_DO=what))
    assert message in error and out.read_text() == "old" and not list(tmp_path.glob("out.cpio.*"))


def test_a_program_that_vanishes_is_named(musl, out, fickle):
    prog = musl.elf("bin/prog", ["libc.so"], MUSL)
    _, error = drupe("pack", "-s", musl, prog, "-o", out, status=1,
                     env=preloaded(fickle, FICKLE_FILE="/bin/prog", FICKLE_AT="open 2", FICKLE_DO="unlink"))
    assert "bin/prog: No such file or directory" in error
