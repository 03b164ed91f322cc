# SPDX-License-Identifier: MIT
"""What an archive holds, and how two of them differ: `drupe ls --json` and `drupe diff`."""
import hashlib
import json
import os
import pathlib
import subprocess

import pytest

from packing import MUSL, Root, drupe, entries


# ---- ls --json ----

def listed(archive, status=0):
    """The objects of `drupe ls --json`, by path."""
    return {x["path"]: x for x in json.loads(drupe("ls", "--json", archive, status=status)[0])}


def test_json_has_every_kind_of_entry(tmp_path, out):
    Root(tmp_path).file("hello", "hello")
    manifest = Root(tmp_path).file("manifest", f"""file /f {tmp_path}/hello 4755 1 2
dir /d 1777 3 4
slink /s d/e 777 0 0
nod /c 620 0 5 c 5 1
nod /b 660 0 6 b 254 0
pipe /p 600 0 0
sock /k 600 0 0
""")
    drupe("pack", "-m", manifest, "-o", out, "--mtime", "9")
    common = {"owner": "0:0", "mtime": 9}
    assert listed(out) == {
        "f": {"path": "f", "type": "file", "mode": "4755", "owner": "1:2", "mtime": 9, "size": 5, "links": 1,
              "sha256": hashlib.sha256(b"hello").hexdigest()},
        "d": {"path": "d", "type": "directory", "mode": "1777", "owner": "3:4", "mtime": 9},
        "s": common | {"path": "s", "type": "symlink", "mode": "0777", "target": "d/e"},
        "c": {"path": "c", "type": "character device", "mode": "0620", "owner": "0:5", "mtime": 9, "device": "5:1"},
        "b": {"path": "b", "type": "block device", "mode": "0660", "owner": "0:6", "mtime": 9, "device": "254:0"},
        "p": common | {"path": "p", "type": "fifo", "mode": "0600"},
        "k": common | {"path": "k", "type": "socket", "mode": "0600"},
    }


def test_json_has_what_elf_files_need_and_their_build_id(musl, out):
    prog = musl.elf("bin/prog", ["libx.so", "libc.so"], MUSL, flags=["-Wl,--build-id=0x0123456789abcdef"])
    musl.elf("lib/libx.so", soname="libx.so", flags=["-Wl,--build-id=none"])
    drupe("pack", "-s", musl, prog, "-o", out)
    found = listed(out)
    assert found["bin/prog"]["needed"] == ["libx.so", "libc.so"] and found["bin/prog"]["build_id"] == "0123456789abcdef"
    assert found["bin/prog"]["interpreter"] == MUSL and found["bin/prog"]["sha256"] == hashlib.sha256(prog.read_bytes()).hexdigest()
    assert found["lib/libx.so"]["needed"] == [] and found["lib/libx.so"]["soname"] == "libx.so" and "build_id" not in found["lib/libx.so"]


def test_json_gives_all_names_of_a_hard_link_the_files_size_and_sum(tmp_path, out):
    here = Root(tmp_path / "here")
    (here / "b").hardlink_to(here.file("a", "linked"))
    drupe("pack", here, "-o", out)
    a, b = listed(out).values()
    assert (a["size"], a["links"], a["sha256"]) == (b["size"], b["links"], b["sha256"]) == (6, 2, hashlib.sha256(b"linked").hexdigest())


def test_json_does_not_join_links_of_different_archives(tmp_path):
    archives = []
    for text in ("one", "three"):
        here = Root(tmp_path / text)
        (here / f"{text}2").hardlink_to(here.file(f"{text}1", text))
        archives.append(drupe("pack", here, "-o", "-")[0])
    both = Root(tmp_path).file("both", b"".join(archives))
    assert {p: x["size"] for p, x in listed(both).items()} == {"one1": 3, "one2": 3, "three1": 5, "three2": 5}


def test_json_holds_names_of_any_bytes(tmp_path, out):
    here = Root(tmp_path / "here")
    raw = [b"q\"b\\s", b"new\nline\x7f", b"\xff\xc3\xa9", b"sur\xed\xa0\x80"]
    for name in raw:
        pathlib.Path(os.fsdecode(os.fsencode(here.path) + b"/" + name)).write_bytes(b"")
    drupe("pack", here, "-o", out)
    assert sorted(os.fsencode(p) for p in listed(out)) == sorted(raw)


def test_json_of_an_empty_archive_is_an_empty_array(tmp_path, out):
    drupe("pack", Root(tmp_path / "empty").path, "-o", out)
    assert listed(out) == {}


def test_json_of_a_cut_archive_has_what_is_before_the_cut(tmp_path, out):
    here = Root(tmp_path / "here")
    here.file("a", "a")
    here.file("b", "b" * 100)
    drupe("pack", here, "-o", out)
    out.write_bytes(out.read_bytes()[:entries(out)[1][2] + 50])
    assert list(listed(out, status=1)) == ["a"]
    assert "archive truncated?" in drupe("ls", "--json", out, status=1)[1]


def put_attributes(path, **attributes):
    for name, value in attributes.items():
        os.setxattr(path, "user." + name, value)


def test_json_has_attributes_of_the_entry_that_they_are_behind(tmp_path, out):
    """They are no entries of their own; a file of their entry's name is one."""
    here = Root(tmp_path / "here")
    put_attributes(here.file("a", "x"), note=b"\0\xe4", empty=b"")
    put_attributes(here.file("d/METADATA!!!", "x").parent, of="d".encode())
    here.file("METADATA!!!", "00000012\1\1user.b\0" + "1")
    drupe("pack", here, "-o", out)
    found = listed(out)
    assert sorted(found) == ["./METADATA!!!", "a", "d", "d/METADATA!!!"]
    assert {path: x.get("attributes") for path, x in found.items()} == {
        "./METADATA!!!": None, "a": {"user.empty": "", "user.note": "00e4"}, "d": {"user.of": "64"}, "d/METADATA!!!": None}


# ---- diff ----

def diff(a, b, *options, status=1):
    output, error = drupe("diff", *options, a, b, status=status)
    return output.decode().splitlines(), error


@pytest.fixture
def pack(tmp_path):
    """Packs a manifest's lines; gives the archive."""
    def packed(name, lines, *options):
        manifest = Root(tmp_path).file(name + ".manifest", "\n".join(lines) + "\n")
        archive = tmp_path / f"{name}.cpio"
        drupe("pack", "-m", manifest, "-o", archive, *options)
        return archive
    return packed


def test_diff_of_equal_trees_is_silent_whatever_the_order(tmp_path, pack):
    here = Root(tmp_path / "here")
    here.file("x", "x" * 5000)
    here.file("y/z", "z")
    one = drupe("pack", here, "-o", "-")[0]
    a, b = Root(tmp_path).file("a", one), tmp_path / "b"
    listing = b"./y\nx\n./y/z\n"
    b.write_bytes(subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], input=listing, cwd=here.path, capture_output=True,
                                 check=True).stdout)
    lines, _ = diff(a, b)
    assert all(": mtime 0 -> " in x for x in lines) and [x.split(":")[0] for x in lines] == ["! x", "! y", "! y/z"]
    assert diff(a, a, status=0) == ([], "")


def test_diff_names_what_only_one_has_and_every_attribute(tmp_path, pack):
    files = Root(tmp_path)
    files.file("one", "one")
    files.file("two", "two")
    files.file("three", "three")
    a = pack("a", ["dir /d 755 0 0", "dir /gone 755 0 0", f"file /d/f {files}/one 644 0 0", f"file /g {files}/one 644 0 0",
                   "slink /s one 777 0 0", "nod /n 600 0 0 c 1 3", "slink /t x 777 0 0"])
    b = pack("b", ["dir /d 700 1 2", f"file /d/f {files}/two 644 0 0", f"file /g {files}/three 644 0 0", "pipe /new 600 0 0",
                   "slink /s two 777 0 0", "nod /n 600 0 0 c 1 5", "dir /t 777 0 0"], "--mtime", "7")
    lines, error = diff(a, b)
    assert error == "" and lines == [
        "! d: mode 0755 -> 0700; owner 0:0 -> 1:2; mtime 0 -> 7",
        "! d/f: mtime 0 -> 7; content",
        "! g: mtime 0 -> 7; size 3 -> 5; content",
        "- gone",
        "! n: mtime 0 -> 7; device 1:3 -> 1:5",
        "+ new",
        "! s: mtime 0 -> 7; target one -> two",
        "! t: symlink -> directory; mtime 0 -> 7",
    ]
    assert diff(a, b, "--quiet") == ([], "")


def test_diff_tells_what_changed_in_programs(musl, tmp_path):
    archives = []
    for name, needs, build_id in (("a", ["libold.so", "libc.so"], "0xaaaaaaaa"), ("b", ["libc.so", "libnew.so"], "0xbbbbbbbb")):
        prog = musl.elf("prog", needs, flags=[f"-Wl,--build-id={build_id}"])
        for need in needs[:2]:
            musl.elf(f"lib/{need}")
        musl.elf("lib/libnew.so")
        archives.append(Root(tmp_path).file(name, drupe("pack", "-s", musl, f"/prog={prog}", "-o", "-")[0]))
    changed = [x for x in diff(*archives)[0] if x.startswith("! prog")]
    assert len(changed) == 1 and changed[0].endswith("content; build ID aaaaaaaa -> bbbbbbbb; needs -libold.so; needs +libnew.so")


def test_diff_knows_hard_links_and_takes_the_last_of_two_entries(tmp_path):
    here, apart = Root(tmp_path / "here"), Root(tmp_path / "apart")
    (here / "b").hardlink_to(here.file("a", "linked"))
    for name in "ab":
        apart.file(name, "linked")
    a, b = (drupe("pack", x, "-o", "-")[0] for x in (here, apart))
    one, two, both = (Root(tmp_path).file(n, x) for n, x in (("1", a), ("2", b), ("3", a + b)))
    assert diff(one, two)[0] == ["! a: links 2 -> 1", "! b: links 2 -> 1"]
    assert diff(both, two, status=0)[0] == []


def test_diff_reads_images_and_tells_of_what_it_cannot_read(tmp_path, out):
    drupe("pack", Root(tmp_path).file("x", "x"), "-o", out)
    cut = Root(tmp_path).file("cut", out.read_bytes()[:60])
    lines, error = diff(out, cut, status=2)
    assert lines == ["- x"] and "cut: " in error and "archive truncated?" in error
    assert "nowhere: No such file or directory" in diff(out, "nowhere", status=2)[1]


@pytest.mark.parametrize("arguments, message", [([], "two archives or images are needed"), (["a"], "two archives"), (["-x", "a", "b"], "there is no option -x")])
def test_diff_tells_of_misuse(arguments, message):
    assert message in drupe("diff", *arguments, status=2)[1]
    assert drupe("diff", "--help")[0].startswith(b"Usage: drupe diff")


def test_long_and_json_name_odd_modes(tmp_path, out):
    drupe("pack", Root(tmp_path).file("x", "x"), "-o", out)
    data = bytearray(out.read_bytes())
    data[14:22] = b"%08X" % 0o000644
    out.write_bytes(data)
    assert listed(out)["x"]["type"] == "unknown"


# ---- other commands' JSON ----

def test_diff_as_json_and_its_statuses(tmp_path, pack):
    files = Root(tmp_path)
    files.file("one", "one")
    a = pack("a", [f"file /f {files}/one 644 0 0", "dir /gone 755 0 0"])
    b = pack("b", [f"file /f {files}/one 600 0 0", "dir /new 755 0 0"])
    assert json.loads(drupe("diff", "--json", a, b, status=1)[0]) == [
        {"path": "f", "change": "changed", "what": "mode 0644 -> 0600"}, {"path": "gone", "change": "removed"},
        {"path": "new", "change": "added"}]
    assert json.loads(drupe("diff", "--json", a, a)[0]) == []
    drupe("diff", a, tmp_path / "nothing", status=2)
    drupe("diff", a, status=2)


def test_check_as_json(tmp_path, pack):
    a = pack("a", ["slink /s nowhere 777 0 0"])
    told = json.loads(drupe("check", "--json", a, status=1)[0])
    assert told["file"] == str(a) and len(told["complaints"]) == 1 and "nothing to start with" in told["complaints"][0]
    assert told["notes"] == ["/s is a symlink to nowhere, which is not there"]


def test_deps_as_json(musl):
    prog = musl.elf("bin/prog", ["libx.so", "libgone.so", "libc.so"], MUSL)
    musl.elf("lib/libx.so", ["libc.so"], soname="libx.so")
    told = json.loads(drupe("deps", "--json", "--bare", "-s", musl, prog, status=1)[0])
    assert [x["program"] for x in told] == ["/bin/prog"]
    objects = {x["path"]: x["needs"] for x in told[0]["objects"]}
    assert {"name": "libx.so", "kind": "needed", "path": "/lib/libx.so"} in objects["/bin/prog"]
    assert {"name": "libgone.so", "kind": "needed", "path": None} in objects["/bin/prog"]
    assert "/lib/libx.so" in objects
    drupe("deps", "--json", "--list", prog, status=2)


def test_diff_tells_of_attributes(tmp_path):
    """Of each name of a hard link, too; and of a directory that comes twice all that it has in the end."""
    archives = []
    for side in ("a", "b"):
        here = Root(tmp_path / side)
        (here / "other").hardlink_to(here.file("file", "same"))
        here.file("d/same")
        archives.append((here, tmp_path / f"{side}.cpio"))
    (a, a_cpio), (b, b_cpio) = archives
    put_attributes(a / "file", gone=b"1", changes=b"1", same=b"1")
    put_attributes(b / "file", new=b"1", changes=b"1" * 2, same=b"1")
    put_attributes(a / "d", d=b"1")
    put_attributes(b / "d/same", f=b"")
    for here, archive in archives:
        drupe("pack", here, "-o", archive)
    what = "attribute user.changes; attribute -user.gone; attribute +user.new"
    assert diff(a_cpio, b_cpio)[0] == ["! d: attribute -user.d", "! d/same: attribute +user.f", f"! file: {what}", f"! other: {what}"]

def test_a_directory_that_comes_again_keeps_its_attributes(tmp_path):
    lower, more = Root(tmp_path / "lower"), Root(tmp_path / "more")
    put_attributes(lower.file("d/f").parent, a=b"1", b=b"1")
    put_attributes(more.file("d/g").parent, b=b"2", c=b"2")
    drupe("pack", "--root", lower, "-o", tmp_path / "a.cpio")
    drupe("pack", "--root", lower, "-o", tmp_path / "b.cpio", more)
    found = [x for x in diff(tmp_path / "a.cpio", tmp_path / "b.cpio")[0] if "attribute" in x]
    assert len(found) == 1 and found[0].startswith("! d: ") and found[0].endswith("; attribute user.b; attribute +user.c")
