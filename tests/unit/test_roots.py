# SPDX-License-Identifier: MIT
"""Whole roots (--root): what directories, cpios, tars and OCI images come to, what is refused, and what is kept."""
import bz2
import hashlib
import io
import lzma
import os
import pathlib
import random
import shutil
import subprocess
import tarfile
import time

import pytest

import images
from images import Image, gz, saved, tar
from packing import Root, drupe
from test_listing import listed


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DRUPE_CACHE", raising=False)
    return tmp_path / "cache/drupe/roots"


@pytest.fixture
def put(tmp_path):
    """Writes bytes to a file, a new one each time."""
    def write(content, name="root"):
        path = tmp_path / f"{name}{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return path
    return write


def made(what, out, **more):
    drupe("pack", "--root", what, "-o", out, **more)
    return listed(out)


def refused(what, out, lines=1):
    """The line that tells why."""
    out.unlink(missing_ok=True)
    error = drupe("pack", "--root", what, "-o", out, status=1)[1]
    assert not out.exists()
    assert error.startswith("drupe: ") and error.count("\n") <= lines and len(error) < 1000, error
    return error


def names(tree):
    return {path for path in tree if path != "."}


def content(tree, path):
    return tree[path]["sha256"]


def digest(data):
    return hashlib.sha256(data).hexdigest()


# ---- kinds

KINDS = [("usr/", {"mode": 0o711, "uid": 7, "gid": 8, "mtime": 1000}), ("usr/bin/", {}), ("bin", {"kind": "symlink", "to": "usr/bin"}),
         ("usr/bin/su", {"body": b"su" * 5000, "mode": 0o4755, "uid": 0, "gid": 42, "mtime": 1234567890}),
         ("usr/bin/sudo", {"kind": "link", "to": "usr/bin/su"}), ("empty", {}),
         ("null", {"kind": "char", "devmajor": 1, "devminor": 3, "mode": 0o666}), ("vda", {"kind": "block", "devmajor": 254, "devminor": 16}),
         ("pipe", {"kind": "fifo"}), ("./", {"mode": 0o750, "uid": 5})]


def check_kinds(tree):
    assert {"usr", "usr/bin", "bin", "usr/bin/su", "usr/bin/sudo", "empty", "null", "vda", "pipe"} == names(tree)
    assert (tree["usr"]["mode"], tree["usr"]["owner"], tree["usr"]["mtime"]) == ("0711", "7:8", 1000)
    assert tree["bin"]["target"] == "usr/bin"
    su, sudo = tree["usr/bin/su"], tree["usr/bin/sudo"]
    assert (su["mode"], su["owner"], su["mtime"], su["links"]) == ("4755", "0:42", 1234567890, 2)
    assert sudo["links"] == 2 and content(tree, "usr/bin/su") == content(tree, "usr/bin/sudo") == digest(b"su" * 5000)
    assert tree["empty"]["size"] == 0 and tree["pipe"]["type"] == "fifo"
    assert tree["null"]["device"] == "1:3" and tree["vda"]["device"] == "254:16"
    assert (tree["."]["mode"], tree["."]["owner"]) == ("0750", "5:0")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_of_each_format(put, out, form):
    check_kinds(made(put(tar(*KINDS, form=form)), out))


def by_command(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("compress", [gz, bz2.compress, lzma.compress, by_command("zstd", "-qc"), by_command("lz4", "-qc")])
def test_a_compressed_tar(put, out, compress):
    check_kinds(made(put(compress(tar(*KINDS))), out))


@pytest.mark.parametrize("how", ["none", "zstd", "gzip", "lz4", "xz"])
def test_a_cpio_is_what_the_kernel_unpacks(put, tmp_path, out, how):
    first = tmp_path / "first.cpio"
    drupe("pack", "--root", put(tar(*KINDS)), "-o", first, "-c", how)
    check_kinds(made(first, out))


def test_a_directory_as_it_is(root, out):
    root.file("usr/bin/su", "su" * 5000, 0o4755)
    os.link(root / "usr/bin/su", root / "usr/bin/sudo")
    root.link("bin", "usr/bin")
    os.mkfifo(root / "pipe")
    os.utime(root / "usr/bin/su", (1, 1234567890))
    tree = made(root, out)
    assert names(tree) == {"usr", "usr/bin", "usr/bin/su", "usr/bin/sudo", "bin", "pipe"}
    su = tree["usr/bin/su"]
    assert (su["mode"], su["mtime"], su["links"]) == ("4755", 1234567890, 2) and su["owner"] == f"{os.getuid()}:{os.getgid()}"
    assert tree["bin"]["target"] == "usr/bin"


def test_a_root_that_comes_through_a_pipe(out):
    drupe("pack", "--root", "-", "-o", out, stdin=gz(tar(*KINDS)))
    check_kinds(listed(out))


def test_nothing_is_looked_for_and_nothing_left_out(root, out):
    """A program that lacks its loader, one for another machine, a script without interpreter."""
    root.elf("bin/program", ["libnowhere.so"], loader="/lib/nowhere.so")
    root.file("bin/script", "#!/no/where\n", 0o755)
    root.file("bin/other", b"\x7fELF\2\1\1" + bytes(200), 0o755)
    assert {"bin/program", "bin/script", "bin/other"} <= names(made(root, out))


def test_more_goes_over_it_and_finds_its_libraries_there(musl, root, tmp_path, put, out):
    program = Root(tmp_path / "own").elf("hello", ["libc.so"], loader="/lib/ld-musl-riscv64.so.1")
    drupe("pack", "--bare", "--root", root, "-o", out, f"/init={program}")
    assert {"lib/libc.so", "lib/ld-musl-riscv64.so.1", "init"} <= names(listed(out))
    assert sum(1 for name in drupe("ls", out)[0].decode().split() if name.endswith("libc.so")) >= 1


# ---- tars

def test_long_names_and_names_that_are_not_ascii(put, out):
    long = "/".join(["d" * 100] * 30) + "/" + "f" * 200
    for form in tarfile.PAX_FORMAT, tarfile.GNU_FORMAT:
        tree = made(put(tar((long, {"body": b"x"}), "käse/", "käse/日本", form=form)), out)
        assert {long, "käse", "käse/日本"} <= names(tree)


def test_a_sparse_file(tmp_path, out):
    file = tmp_path / "dir/sparse"
    file.parent.mkdir()
    with open(file, "wb") as f:
        f.truncate(3 << 20)
        f.seek(1 << 20)
        f.write(b"middle")
    subprocess.run(["bsdtar", "-cf", tmp_path / "a.tar", "-C", file.parent, "."], check=True)
    subprocess.run(["tar", "-S", "-cf", tmp_path / "b.tar", "-C", file.parent, "."], check=True)
    for name in "a.tar", "b.tar":
        assert content(made(tmp_path / name, out), "sparse") == digest(file.read_bytes())


def test_later_entries_take_the_place_of_earlier(put, out):
    tree = made(put(tar("a/", "a/b/", "a/b/c", ("a/b", {"body": b"file"}), ("x", {"body": b"1"}), ("x", {"body": b"22"}),
                        "d/", "d/keep", ("d/", {"mode": 0o700}))), out)
    assert names(tree) == {"a", "a/b", "x", "d", "d/keep"}
    assert tree["a/b"]["type"] == "file" and tree["x"]["size"] == 2 and tree["d"]["mode"] == "0700"


def test_symlinks_on_the_way_stay_in_the_root(put, out):
    tree = made(put(tar(("lib", {"kind": "symlink", "to": "/usr/lib"}), "lib/a", ("up", {"kind": "symlink", "to": "../../.."}), "up/etc/b",
                        "//abs/./c")), out)
    assert names(tree) == {"lib", "usr", "usr/lib", "usr/lib/a", "up", "etc", "etc/b", "abs", "abs/c"}


def test_a_hard_link_to_a_file_that_gets_another_name(put, out):
    tree = made(put(tar(("a", {"body": b"one"}), ("b", {"kind": "link", "to": "a"}), ("a", {"body": b"two"}))), out)
    assert content(tree, "b") == digest(b"one") and content(tree, "a") == digest(b"two")
    assert tree["a"]["links"] == tree["b"]["links"] == 1


# ---- tars that are hostile

LOOP = [("a", {"kind": "symlink", "to": "b"}), ("b", {"kind": "symlink", "to": "a"})]


@pytest.mark.parametrize("entries, why", [
    (["ok", "../up"], 'entry 2 ("../up"): the name leads out of the root'),
    (["a/../../up"], "leads out of the root"),
    (["/../etc/passwd"], "leads out of the root"),
    ([("b", {"kind": "link", "to": "../a"})], "link to something that is not there"),
    ([("b", {"kind": "link", "to": "/etc/passwd"})], "link to something that is not there"),
    (["d/", ("b", {"kind": "link", "to": "d"})], "link to a directory"),
    (["f", "f/g"], "what it is below is no directory"),
    ([*LOOP, "a/f"], "too many symlinks"),
    ([("./", {"kind": "symlink", "to": "x"})], "the root is a directory"),
    (["x" * 300], "too long"),
    (["d/" * 2100 + "f"], "too long"),
    ([("s", {"kind": "symlink", "to": "x" * 5000})], "too long"),
])
def test_names_that_no_root_can_have(put, out, entries, why):
    assert why in refused(put(tar(*entries)), out)


def with_size(data, size):
    """The first entry says that it has this size, in base 256."""
    header = bytearray(data[:512])
    header[124:136] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + data[512:]


@pytest.mark.parametrize("size", [1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_size_that_no_file_has(put, out, size):
    error = refused(put(with_size(tar("a", form=tarfile.GNU_FORMAT), size)), out)
    assert "4294967295 at most" in error or "as a tar: " in error or "behind entry" in error, error


@pytest.mark.parametrize("cut", [100, 512, 700, 2000])
def test_a_tar_that_is_cut(put, out, cut):
    refused(put(tar(("a", {"body": b"x" * 3000}))[:cut]), out)


def test_a_compressed_tar_that_is_cut_or_damaged(put, out):
    data = gz(tar(("a", {"body": random.Random(1).randbytes(1000000).hex().encode()})))
    refused(put(data[:500000]), out)
    error = refused(put(data[:500000] + bytes(range(256)) * 4 + data[501024:]), out)
    assert "damaged" in error, error  # any code means something in these bits; the checksum tells
    drupe("pack", "--root", put(data), "-o", out)


def test_a_file_that_is_nothing_of_all_that(put, out):
    for data in b"", b"hello\n" * 1000, bytes(4096), gz(b"hello"):
        error = refused(put(data), out)
        assert "it is no directory, cpio, tar or OCI image" in error or "no cpio header" in error, error


def test_what_expands_without_end_is_refused_and_nothing_stays(tmp_path, put, out, cache):
    """Ten files of 4 GiB each, holes all of it, are 40 GiB; seventeen are too much."""
    entries = b"".join(sparse(f"f{i}", (1 << 32) - 4096) for i in range(17))
    assert "that is no root" in refused(put(gz(entries + bytes(1024))), out)
    assert sum(f.stat().st_blocks for f in cache.iterdir()) * 512 < 1 << 20


def test_what_does_not_end_and_is_nothing_is_refused_at_once(tmp_path, out):
    """A file of 1 TiB, all of it a hole, and pipes that always have more."""
    hole = tmp_path / "hole"
    with open(hole, "wb") as f:
        f.truncate(1 << 40)
    assert "it is no directory, cpio, tar or OCI image" in refused(hole, out)
    for endless in ["yes"], ["cat", "/dev/zero"]:
        with subprocess.Popen(endless, stdout=subprocess.PIPE) as child:
            command = [str(pathlib.Path(os.environ["DRUPE_BUILD"]) / "drupe"), "pack", "--root", "-", "-o", str(out)]
            done = subprocess.run(command, stdin=child.stdout, stderr=subprocess.PIPE, check=False)
            child.stdout.close()
            assert done.returncode == 1 and b"standard input: it is no directory" in done.stderr


def sparse(name, size):
    """A file that is one hole, as GNU tar has it in the PAX format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("GNUSparseFile.0/" + name)
        body = b"0\n"
        body += bytes(-len(body) % 512)
        info.size = len(body)
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
        archive.addfile(info, io.BytesIO(body))
        return out.getvalue()[:archive.offset]


# ---- OCI images

LOWER = tar("etc/", ("etc/a", {"body": b"1"}), ("etc/b", {"body": b"1"}), "var/", "var/lib/", "var/lib/x", ("usr/bin/", {}),
            ("bin", {"kind": "symlink", "to": "usr/bin"}), ("usr/bin/ls", {"body": b"ls", "mode": 0o755}), "opt/", "opt/o1", "opt/sub/", "opt/sub/o2")
UPPER = tar(("etc/b", {"body": b"22"}), "etc/.wh.a", ".wh.var", ("bin/cat", {"body": b"cat"}), "opt/new", "opt/.wh..wh..opq", "opt/sub/", "opt/sub/n2")
MERGED = {"etc", "etc/b", "usr", "usr/bin", "usr/bin/ls", "usr/bin/cat", "bin", "opt", "opt/new", "opt/sub", "opt/sub/n2"}


def check_merged(tree):
    assert names(tree) == MERGED
    assert tree["etc/b"]["size"] == 2 and tree["usr/bin/ls"]["mode"] == "0755"


FORMS = {
    "oci archive": lambda image: image.archive(),
    "compressed oci archive": lambda image: gz(image.archive()),
    "docker save": lambda image: saved(image.layers),
}


@pytest.mark.parametrize("form", FORMS)
def test_layers_and_whiteouts(put, out, form):
    check_merged(made(put(FORMS[form](Image([LOWER, UPPER]))), out))


def test_a_layout_in_a_directory_and_names_with_a_prefix(put, tmp_path, out):
    image = Image([LOWER, UPPER])
    check_merged(made(f"oci:{image.write(tmp_path / 'layout')}", out))
    check_merged(made(f"oci-archive:{put(image.archive())}", out))
    check_merged(made(f"docker-archive:{put(saved(image.layers))}", out))


@pytest.mark.parametrize("compress", [gz, by_command("zstd", "-qc")])
def test_compressed_layers(put, out, compress):
    check_merged(made(put(Image([LOWER, UPPER], compress=compress).archive()), out))
    check_merged(made(put(saved([LOWER, UPPER], compress=compress)), out))


def test_docker_saves_equal_layers_once(put, out):
    check_merged(made(put(saved([LOWER, UPPER, UPPER], links=True)), out))


def test_whiteouts_concern_earlier_layers_only(put, out):
    assert names(made(put(Image([tar("d/", "d/old"), tar("d/", "d/new", ".wh.d")]).archive()), out)) == {"d", "d/new"}
    assert names(made(put(Image([tar("a"), tar(".wh.a"), tar("a"), tar(".wh.b", "c/.wh.d", ".wh..wh.plnk")]).archive()), out)) == {"a"}
    assert names(made(put(Image([tar("a", "b/", "b/c"), tar(".wh..wh..opq")]).archive()), out)) == set()
    assert names(made(put(tar(".wh.a", "b")), out)) == {".wh.a", "b"}  # no layer


def test_links_over_layers(put, out):
    tree = made(put(Image([tar(("a", {"body": b"one"})), tar(("b", {"kind": "link", "to": "a"})), tar(".wh.a")]).archive()), out)
    assert names(tree) == {"b"} and content(tree, "b") == digest(b"one")


def test_an_empty_layer_and_no_layer(put, out):
    assert names(made(put(Image([tar("a"), b"", tar()]).archive()), out)) == {"a"}
    assert names(made(put(Image([]).archive()), out)) == set()


def test_the_image_for_riscv64_is_taken(put, out):
    ours, theirs = Image([tar("ours")]), Image([tar("theirs")], architecture="amd64")
    ours.index(ours.add(theirs), ours.described())
    assert names(made(put(ours.archive()), out)) == {"ours"}
    inner = images.text({"schemaVersion": 2, "manifests": [ours.add(theirs), ours.described()]})
    ours.index(ours.blob(inner))
    assert names(made(put(ours.archive()), out)) == {"ours"}
    theirs.index(theirs.described())
    assert "no image for riscv64 is in it; there is: amd64" in refused(put(theirs.archive()), out)
    theirs.index(theirs.blob(theirs.manifest))  # its configuration alone tells
    assert "there is: amd64" in refused(put(theirs.archive()), out)
    assert "there is: arm64" in refused(put(saved([LOWER], architecture="arm64")), out)


def test_two_images_for_riscv64(put, out):
    first, second = Image([tar("a")]), Image([tar("b")])
    first.index(first.described(), first.add(second))
    assert "2 images for riscv64" in refused(put(first.archive()), out)


def broken(change):
    image = Image([LOWER, UPPER])
    change(image)
    return image.archive()


def in_place(image, content, by):
    image.parts["blobs/sha256/" + images.sha256(content)] = by


def deep(n):
    return b"[" * n + b"]" * n


@pytest.mark.parametrize("change, why", [
    (lambda i: in_place(i, UPPER, LOWER), "layer 2 of 2 should have the digest sha256:"),
    (lambda i: in_place(i, i.config, i.config + b" "), "the configuration should have the digest sha256:"),
    (lambda i: in_place(i, i.manifest, i.manifest + b" "), "a manifest should have the digest sha256:"),
    (lambda i: i.parts.pop("blobs/sha256/" + images.sha256(UPPER)), "layer 2 of 2 is not in it"),
    (lambda i: i.parts.pop("index.json"), "its list of images is not in it"),
    (lambda i: i.parts.__setitem__("index.json", deep(1000000)), "nested too deep"),
    (lambda i: i.parts.__setitem__("index.json", b"{" * 100), "byte"),
    (lambda i: i.parts.__setitem__("index.json", b" " * (5 << 20)), "that is no manifest"),
    (lambda i: i.parts.__setitem__("index.json", images.text({f"k{n}": 0 for n in range(5000)})), "too many members"),
    (lambda i: i.index({"digest": "sha256:../../../../etc/passwd"}), "no digest by SHA-256"),
    (lambda i: i.index({"digest": "sha512:" + "0" * 128}), "no digest by SHA-256, but sha512:"),
    (lambda i: i.index({}), "no digest by SHA-256, but none"),
    (lambda i: i.index("x"), "no digest"),
    (lambda i: i.index(), "no image for riscv64"),
    (lambda i: i.parts.__setitem__("index.json", b"[]"), "names no manifests"),
])
def test_an_image_that_is_wrong(put, out, change, why):
    assert why in refused(put(broken(change)), out)


@pytest.mark.parametrize("changes, why", [
    ({"Layers": ["../../../../../../etc/passwd"]}, "layer 1 of 1 is not in it"),
    ({"Layers": ["/etc/passwd"]}, "layer 1 of 1 is not in it"),
    ({"Layers": []}, "names 0 layers, and the configuration 1"),
    ({"Layers": [1]}, "no text"),
    ({"Layers": "x"}, "no list"),
    ({"Config": "../../etc/passwd"}, "the configuration is not in it"),
    ({"Config": None}, "names no configuration"),
])
def test_a_saved_image_that_names_what_is_not_its_own(put, out, changes, why):
    assert why in refused(put(saved([LOWER], **changes)), out)


def test_a_saved_layer_that_is_another(put, out):
    data = saved([LOWER]).replace(b"etc/a\0", b"etc/c\0")
    error = refused(put(data), out)
    assert "layer 1 of 1" in error


def test_an_index_of_itself(put, out):
    """No index can hold its own digest; but they can be nested for long."""
    image = Image([LOWER])
    described = image.described()
    for _ in range(10):
        described = image.blob(images.text({"manifests": [described]}))
    image.index(described)
    assert "more than 4 deep" in refused(put(image.archive()), out)


def test_an_index_that_names_itself_very_often(put, out):
    """Three indexes, each with a thousand times the next, would be a thousand million manifests."""
    image = Image([LOWER])
    described = image.described()
    for _ in range(3):
        described = image.blob(images.text({"manifests": [described] * 1000}))
    image.index(described)
    assert "name more than 4096 manifests" in refused(put(image.archive()), out)


def test_an_image_of_very_many_layers(put, out):
    image = Image([tar()])
    image.manifest = images.text({"config": image.blob(image.config), "layers": [image.blob(tar())] * 1025})
    image.index(image.described())
    assert "it has 1025 layers" in refused(put(image.archive()), out)


def test_a_layout_whose_blob_leads_elsewhere(tmp_path, out):
    layout = Image([LOWER]).write(tmp_path / "layout")
    blob = layout / "blobs/sha256" / images.sha256(LOWER)
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    assert "layer 1 of 1 is not in it" in refused(layout, out)


@pytest.mark.parametrize("entries, why", [
    ([".wh."], "whiteout of nothing"), (["a/.wh..."], "whiteout of nothing"), (["../.wh.a"], "leads out of the root"),
    (["../../../etc/.wh.passwd"], "leads out of the root"), (["a/../../x"], "leads out of the root")])
def test_a_layer_that_reaches_out(put, out, entries, why):
    error = refused(put(Image([LOWER, tar(*entries)]).archive()), out)
    assert why in error and "layer 2 of 2: entry 1" in error


# ---- what is kept

def kept(cache):
    return sorted(path.name for path in cache.iterdir() if len(path.name) == 64)


def test_a_root_is_made_once(put, out, cache):
    path = put(tar(*KINDS))
    check_kinds(made(path, out))
    [name] = kept(cache)
    first = (cache / name).stat()
    check_kinds(made(path, out))
    copy = shutil.copy(path, str(path) + ".copy")  # the same content is the same root
    check_kinds(made(copy, out))
    assert kept(cache) == [name] and (cache / name).stat().st_ino == first.st_ino
    assert first.st_mode & 0o777 == 0o600 and cache.stat().st_mode & 0o777 == 0o700
    assert first.st_blocks * 512 < 1 << 20 < first.st_size  # a file with a hole in it


def test_what_has_changed_is_made_anew(put, root, out, cache):
    path = put(tar("a"))
    assert names(made(path, out)) == {"a"}
    path.write_bytes(tar("b"))
    assert names(made(path, out)) == {"b"}
    root.file("f", "1")
    first = content(made(root, out), "f")
    times = (root / "f").stat()
    (root / "f").write_text("2")
    os.utime(root / "f", ns=(times.st_atime_ns, times.st_mtime_ns))  # ctime still tells
    assert content(made(root, out), "f") != first
    (root / "f").chmod(0o600)
    assert made(root, out)["f"]["mode"] == "0600"
    assert len(kept(cache)) == 5


def damage(path):
    with open(path, "r+b") as f:
        f.seek((1 << 30) + 200)
        f.write(b"damaged")


def cut(path):
    os.truncate(path, (1 << 30) + 100)


def clear(path):
    path.write_bytes(b"")


def no_header(path):
    with open(path, "r+b") as f:
        f.write(bytes(100))


def no_text(path):
    with open(path, "r+b") as f:
        f.seek(180)
        f.write(b"\xff" * 100)


def writable(path):
    path.chmod(0o666)


def a_symlink(path):
    path.rename(str(path) + ".moved")
    path.symlink_to(str(path) + ".moved")


@pytest.mark.parametrize("change", [damage, cut, clear, no_header, no_text, writable, a_symlink])
def test_what_is_not_as_it_was_is_not_believed(put, out, cache, change):
    path = put(tar(*KINDS))
    made(path, out)
    [name] = kept(cache)
    change(cache / name)
    check_kinds(made(path, out))
    check_kinds(made(path, out))
    assert (cache / name).stat().st_mode & 0o777 == 0o600 and not (cache / name).is_symlink()


def test_what_was_only_touched_is_believed(put, out, cache):
    path = put(tar(*KINDS))
    made(path, out)
    [name] = kept(cache)
    inode = (cache / name).stat().st_ino
    os.utime(cache / name)
    check_kinds(made(path, out))
    assert (cache / name).stat().st_ino == inode


def test_a_cache_that_others_may_write_to_is_not_used(put, out, cache):
    path = put(tar(*KINDS))
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    error = drupe("pack", "--root", path, "-o", out)[1]
    check_kinds(listed(out))
    assert "nothing is kept" in error and not list(cache.iterdir())


@pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
def test_a_cache_of_another_user_is_not_believed(put, out, cache):
    path = put(tar(*KINDS))
    made(path, out)
    [name] = kept(cache)
    os.chown(cache / name, 1, 1)
    check_kinds(made(path, out))
    assert (cache / name).stat().st_uid == 0
    os.chown(cache, 1, 1)
    assert "nothing is kept" in drupe("pack", "--root", path, "-o", out)[1]
    check_kinds(listed(out))


def test_without_a_home_nothing_is_kept(put, out):
    drupe("pack", "--root", put(tar(*KINDS)), "-o", out, env={"XDG_CACHE_HOME": "relative", "HOME": ""})
    check_kinds(listed(out))


def test_two_at_once(put, tmp_path, cache):
    path = put(gz(tar(*KINDS, ("big", {"body": os.urandom(3 << 20)}))))
    command = [str(pathlib.Path(os.environ["DRUPE_BUILD"]) / "drupe"), "pack", "--root", str(path), "-o"]
    running = [subprocess.Popen([*command, tmp_path / f"out{i}"]) for i in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert len({(tmp_path / f"out{i}").read_bytes() for i in range(4)}) == 1
    assert len(kept(cache)) == 1 and not [f for f in cache.iterdir() if f.name.endswith(".new")]


def test_one_that_was_killed_leaves_nothing_for_long(put, out, cache):
    cache.mkdir(parents=True, mode=0o700)
    (cache / ("0" * 64 + ".new")).write_bytes(b"half")
    made(put(tar("a")), out)
    assert not [f for f in cache.iterdir() if f.name.endswith(".new")]


def test_cache_ls_and_rm(put, out, cache):
    first, second = put(tar("a")), put(tar("b"))
    made(first, out)
    made(second, out)
    lines = drupe("cache", "ls")[0].decode().splitlines()
    assert len(lines) == 2 and any(str(first) in line for line in lines)
    assert time.strftime("%Y-") in lines[0]
    drupe("cache", "rm", first)
    [line] = drupe("cache", "ls")[0].decode().splitlines()
    assert str(second) in line
    assert "no such root is kept" in drupe("cache", "rm", "nothing", status=1)[1]
    drupe("cache", "rm", line.split()[0])
    assert drupe("cache", "ls")[0] == b""
    made(first, out)
    drupe("cache", "rm", "--all")
    assert list(cache.iterdir()) == []
    for wrong in [], ["rm"], ["ls", "x"], ["rm", "--all", "x"], ["ls", "--all"]:
        drupe("cache", *wrong, status=2)


# ---- the other commands

def test_check_looks_at_a_root(put, root):
    assert "nothing to start with" in drupe("check", "--root", put(tar("a")), status=1)[1]
    drupe("check", "--root", put(tar("a")), "file", status=2)


def test_an_image_of_a_root_has_a_console(put, tmp_path, out):
    kernel = pathlib.Path(os.environ["DRUPE_BUILD"]) / "Image"
    new = tmp_path / "image"
    drupe("image", "-k", kernel, "--root", put(tar(*KINDS)), "-o", new)
    tree = listed(new)
    assert tree["dev/console"]["device"] == "5:1" and "usr/bin/su" in tree
    drupe("image", "-k", kernel, "--root", put(tar("dev/", ("dev/console", {"kind": "char", "devmajor": 5, "devminor": 2}))), "-o", new)
    assert listed(new)["dev/console"]["device"] == "5:2"
    drupe("image", "-k", kernel, "--root", new, "--no-initrd", "-o", new, status=2)
    assert "dev/console" in names(made(new, out))  # a built image is a root, too


# ---- roots of packages

def deb(data, scripts=(), compress=by_command("xz", "-c")):
    def member(name, body):
        return b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(body)) + body + bytes(len(body) % 2)
    control = tar("./", ("./control", {"body": b"Package: x\n"}), *(("./" + name, {"body": b"#!/bin/sh\n"}) for name in scripts))
    return b"!<arch>\n" + member(b"debian-binary", b"2.0\n") + member(b"control.tar.xz", compress(control)) + member(b"data.tar.xz", compress(data))


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """An apt-get that knows what is put here, by the name of its package; `packages` is what it thinks is needed for anything."""
    (tmp_path / "apt/bin").mkdir(parents=True)
    archives = tmp_path / "cache/drupe/apt-trixie-riscv64/cache/archives"
    archives.mkdir(parents=True)
    (tmp_path / "sources").write_text("deb file:/nowhere trixie main\n")
    program = tmp_path / "apt/bin/apt-get"
    program.write_text('#!/bin/sh\necho "$APT_CONFIG $*" >>%s/calls\ncase "$*" in *--print-uris*) cat %s/uris;; *update*) exit 1 ;; esac\n'
                       % (tmp_path, tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DRUPE_APT_SOURCES", str(tmp_path / "sources"))
    (tmp_path / "uris").write_text("")

    def add(name, content):
        (archives / name).write_bytes(content)
        with open(tmp_path / "uris", "a", encoding="ascii") as f:
            f.write(f"'file:/nowhere/{name}' {name} {len(content)} SHA256:0\n")
    return add


def test_a_root_of_packages(apt, tmp_path, out):
    apt("base.deb", deb(tar("./", "./etc/", ("./etc/shadow", {"body": b"x", "mode": 0o640, "gid": 42}), "./usr/", "./usr/bin/", "./usr/share/",
                            "./usr/share/doc/", "./usr/share/doc/base"), scripts=["postinst"]))
    apt("old.deb", deb(tar("./", "./bin/", ("./bin/ping", {"body": b"ping", "mode": 0o4755}), "./lib/", "./lib/x.so"), compress=by_command("zstd", "-qc")))
    error = drupe("root", "trixie", "base", "old", "-o", out, "-v", "-x", "usr/share/doc", "-x", "none/*")[1]
    tree = listed(out)
    assert {name: tree[name].get("target") for name in ("bin", "lib", "sbin")} == {name: f"usr/{name}" for name in ("bin", "lib", "sbin")}
    assert tree["usr/bin/ping"]["mode"] == "4755" and "usr/lib/x.so" in tree and tree["etc/shadow"]["owner"] == "0:42"
    assert "usr/share" in tree and "usr/share/doc" not in tree and "usr/share/doc/base" not in tree
    assert "base.deb, whose scripts were not run" in error and "2 packages, 1 of them" in error and "--omit none/* matches nothing" in error
    call = (tmp_path / "calls").read_text().splitlines()[-1]
    assert call.endswith("--download-only install base old") and "apt-trixie-riscv64/apt.conf" in call


def test_packages_that_cannot_be_had(apt, out):
    error = drupe("root", "trixie", "nothing", "-o", out, status=75)[1]
    assert "cannot be had: the lists could not be read" in error and not out.exists()


@pytest.mark.parametrize("content, why", [
    (b"no package", "is no Debian package"), (b"!<arch>\n" + b"x" * 100, "no data.tar"), (deb(tar("a"))[:-30], "no data.tar"),
    (deb(tar("../up")), "leads out of the root")])
def test_a_package_that_is_damaged(apt, out, content, why):
    apt("x.deb", content)
    assert why in drupe("root", "trixie", "x", "-o", out, status=1)[1]


@pytest.mark.parametrize("names", [[], ["trixie"], ["trixie", "--x"], ["trixie", "../x"], ["trixie", "/etc/x.deb"], ["tri xie", "x"], ["$(x)", "y"],
                                   ["trixie", ""], ["trixie", "x;y"]])
def test_names_that_are_no_packages(out, names):
    drupe("root", "-o", out, "--", *names, status=2)
