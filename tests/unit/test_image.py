# SPDX-License-Identifier: MIT
"""`drupe image` from outside: other archives and command lines in built images, flat and ELF, and what it refuses."""
import gzip
import os
import struct
import subprocess

import pytest
from packing import BUILD, Root, drupe

KINDS = ["Image", "drupe.elf"]
READELF = os.environ.get("CROSS", "riscv64-linux-gnu-") + "readelf"
PAGE = 4096


@pytest.fixture(params=KINDS)
def kernel(request):
    return BUILD / request.param


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.cpio"
    drupe("pack", Root(tmp_path / "small").file("seed", "stone"), "-o", path)
    return path


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.cpio"
    drupe("pack", Root(tmp_path / "large").file("big", os.urandom(5 << 20)), "-o", path)
    return path


def image(kernel, *arguments, out, status=0, **more):
    return drupe("image", "--kernel", kernel, *arguments, "-o", out, status=status, **more)[1]


def extracted(path):
    return drupe("image", "-k", path, "--extract", "-o", "-")[0]


def line(path):
    return drupe("image", "-k", path, "--print-append")[0].decode()


def names(path):
    return drupe("ls", path)[0].decode().split()


def segments(path):
    """(offset, physical address, size in the file, in memory) of an ELF file's LOADs."""
    data = path.read_bytes()
    at, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    headers = [struct.unpack_from("<IIQQQQQQ", data, at + 56 * i) for i in range(count)]
    return [(h[2], h[4], h[5], h[6]) for h in headers if h[0] == 1]


def flat(path):
    """What the boot loader puts into memory."""
    if path.name != "drupe.elf" and b"\x7fELF" != path.read_bytes()[:4]:
        return path.read_bytes()
    data, parts = path.read_bytes(), segments(path)
    memory = bytearray()
    for offset, address, size, _ in parts:
        memory = memory.ljust(address - parts[0][1], b"\0") + data[offset:offset + size]
    return bytes(memory)


def memory_size(memory):
    return struct.unpack_from("<Q", memory, 16)[0]


@pytest.mark.parametrize("which", ["small", "large"])
def test_another_archive_is_put_in(kernel, tmp_path, request, which):
    archive, out = request.getfixturevalue(which), tmp_path / "out"
    image(kernel, "--initrd", archive, out=out)
    assert extracted(out) == archive.read_bytes()
    assert names(out) == names(archive)
    memory = flat(out)
    assert memory_size(memory) == len(memory) and len(memory) % PAGE == 0
    assert memory.rstrip(b"\0").endswith(archive.read_bytes().rstrip(b"\0"))


def test_flat_and_elf_hold_the_same(tmp_path, small):
    memories = []
    for kind in KINDS:
        out = tmp_path / kind
        image(BUILD / kind, "-i", small, "-a", "quiet", out=out)
        memories.append(flat(out))
    assert memories[0] == memories[1]


def test_the_way_back_gives_the_old_bytes(kernel, tmp_path, small, large):
    there, more, back = (tmp_path / n for n in ("there", "more", "back"))
    original = tmp_path / "original.cpio"
    original.write_bytes(extracted(kernel))
    image(kernel, "-i", small, "-a", "x=1", out=there)
    image(there, "-i", large, out=more)
    image(more, "-i", original, "-a", "", out=back)
    assert back.read_bytes() == kernel.read_bytes()


def test_the_archive_can_be_taken_away_and_come_back(kernel, tmp_path, small):
    bare, out = tmp_path / "bare", tmp_path / "out"
    image(kernel, "--no-initrd", out=bare)
    assert "carries no archive" in drupe("ls", bare, status=1)[1]
    assert "carries no archive" in drupe("image", "-k", bare, "-x", "-o", out, status=1)[1]
    assert memory_size(flat(bare)) == len(flat(bare)) < memory_size(flat(kernel))
    image(bare, "-i", small, out=out)
    assert extracted(out) == small.read_bytes()


def test_an_elf_file_stays_whole(tmp_path, large):
    out = tmp_path / "out"
    image(BUILD / "drupe.elf", "-i", large, out=out)
    done = subprocess.run([READELF, "-aW", "--debug-dump=info", out], capture_output=True, check=True)
    assert b"Warning" not in done.stderr and b"Error" not in done.stderr, done.stderr
    nm = [READELF.replace("readelf", "nm"), "--defined-only"]
    symbols = [subprocess.run([*nm, f], capture_output=True, check=True).stdout.split(b"\n")
               for f in (out, BUILD / "drupe.elf")]
    assert symbols[0] == symbols[1] and len(symbols[0]) > 100


def test_a_stripped_elf_file_does_as_well(tmp_path, small):
    stripped, out = tmp_path / "stripped", tmp_path / "out"
    subprocess.run([READELF.replace("readelf", "strip"), "-o", stripped, BUILD / "drupe.elf"], check=True)
    image(stripped, "-i", small, out=out)
    assert extracted(out) == small.read_bytes()
    data = bytearray(stripped.read_bytes())
    struct.pack_into("<Q", data, 40, 0)  # and without section headers at all
    struct.pack_into("<H", data, 60, 0)
    stripped.write_bytes(data)
    image(stripped, "-i", small, out=out)
    assert extracted(out) == small.read_bytes()


def test_the_command_line_is_replaced_alone(kernel, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    image(kernel, "--append", "quiet init=/x a=\"b c\"", out=out)
    assert line(out) == "quiet init=/x a=\"b c\"\n"
    assert extracted(out) == extracted(kernel)
    image(out, "--append", "short", out=again)
    assert line(again) == "short\n"
    image(again, "--append", "", out=again)
    assert line(again) == "\n" and again.read_bytes() == kernel.read_bytes()


def test_a_command_line_stays_with_another_archive(kernel, tmp_path, small):
    out = tmp_path / "out"
    image(kernel, "-a", "panic=1", out=out)
    image(out, "-i", small, out=out)
    assert line(out) == "panic=1\n" and names(out) == ["seed"]


def test_a_command_line_that_is_too_long_is_measured(kernel, tmp_path):
    out = tmp_path / "out"
    image(kernel, "-a", "x" * 2047, out=out)
    assert line(out) == "x" * 2047 + "\n"
    out.unlink()
    error = image(kernel, "-a", "x" * 2060, out=out, status=1)
    assert "the command line has 2060 bytes" in error and "has room for 2047, so it is 13 too long" in error
    assert not out.exists()


def test_several_archives_come_one_after_the_other(kernel, tmp_path, small, large):
    out = tmp_path / "out"
    image(kernel, "-i", small, "-i", large, "-i", small, out=out)
    both = extracted(out)
    second = -(-small.stat().st_size // PAGE) * PAGE
    assert both[:second].rstrip(b"\0") == small.read_bytes().rstrip(b"\0")
    assert both[second:].startswith(large.read_bytes())
    assert names(out) == ["seed", "big", "seed"]


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x02\x21\x4c\x18", b"\x04\x22\x4d\x18",
                                   b"070701", b"070702", b"\0" * 8 + b"070701"])
def test_what_begins_as_an_initramfs_is_taken(tmp_path, start):
    archive, out = tmp_path / "a", tmp_path / "out"
    archive.write_bytes(start + b"...")
    image(BUILD / "Image", "-i", archive, out=out)
    assert extracted(out) == start + b"..."


@pytest.mark.parametrize("start, message", [
    (b"hello, this is a text", "no cpio archive (newc or crc), nor a compressed one; --force"),
    (b"070707", "by its first bytes cpio odc"), (b"BZh9", "by its first bytes bzip2"), (b"", "it is empty"),
    (b"\0" * 100, "nothing but zeros in it"), (b"07", "no cpio archive"),
])
def test_what_is_no_archive_is_refused_unless_forced(tmp_path, start, message):
    archive, out = tmp_path / "a", tmp_path / "out"
    archive.write_bytes(start)
    assert message in image(BUILD / "Image", "-i", archive, out=out, status=1)
    assert not out.exists()
    image(BUILD / "Image", "-i", archive, "--force", out=out)
    if start:
        assert extracted(out) == start


def test_what_is_no_kernel_is_told_apart(tmp_path, small, kernel):
    bad, out = tmp_path / "bad", tmp_path / "out"
    linux = bytearray(0x4000)
    linux[56:60] = b"RSC\x05"
    for data, message in ((small.read_bytes(), "this is a cpio archive; a kernel image (flat or ELF) is needed here"),
                          (gzip.compress(kernel.read_bytes()), "no kernel image (flat or ELF): by its first bytes gzip"),
                          (b"x" * 5000, "no kernel image (flat or ELF)\n"), (b"", "it is too short"),
                          (bytes(linux), "without an archive's descriptor"),
                          (kernel.read_bytes()[:0x30000], "without an archive's descriptor"),
                          (kernel.read_bytes()[:kernel.read_bytes().index(b"DRUPE-INITRD-1") + 0x1000], "file truncated?")):
        bad.write_bytes(data)
        assert message in image(bad, "-i", small, out=out, status=1)
    assert "No such file" in image(tmp_path / "none", "-i", small, out=out, status=1)
    assert "No such file" in image(kernel, "-i", tmp_path / "none", out=out, status=1)
    assert not out.exists()


def test_an_elf_file_cut_behind_the_archive_is_refused(tmp_path, small):
    bad, data = tmp_path / "bad", (BUILD / "drupe.elf").read_bytes()
    bad.write_bytes(data[:-100])
    assert "section headers are not in the file; file truncated?" in image(bad, "-i", small, out=tmp_path / "o", status=1)


def test_an_elf_file_of_another_shape_is_refused(tmp_path, small):
    bad, data = tmp_path / "bad", bytearray((BUILD / "drupe.elf").read_bytes())
    segment = 64 + 56 * 2  # .data: let it be large enough to lie behind the archive
    struct.pack_into("<Q", data, segment + 40, 1 << 30)
    bad.write_bytes(data)
    assert "something lies behind the archive in memory" in image(bad, "-i", small, out=tmp_path / "o", status=1)


def test_an_elf_file_without_a_place_for_an_archive_is_refused(tmp_path, small):
    bad = tmp_path / "bad"
    image(BUILD / "drupe.elf", "-n", out=bad)
    data = bytearray(bad.read_bytes())
    struct.pack_into("<I", data, 64 + 56 * 3, 0)  # the archive's segment: PT_NULL
    bad.write_bytes(data)
    assert "the archive is not in a segment of its own" in image(bad, "-i", small, out=tmp_path / "o", status=1)
    assert "carries no archive" in drupe("ls", bad, status=1)[1]


def test_bytes_behind_the_archive_are_mentioned(tmp_path, small):
    padded, out = tmp_path / "padded", tmp_path / "out"
    padded.write_bytes((BUILD / "Image").read_bytes() + b"\xff" * 7)
    assert "7 bytes behind its archive are left out" in image(padded, "-i", small, out=out)
    assert extracted(out) == small.read_bytes()


def test_a_kernel_inside_the_archive_is_not_mistaken_for_the_image(tmp_path, kernel):
    archive, out = tmp_path / "a.cpio", tmp_path / "out"
    drupe("pack", f"/boot/Image={BUILD / 'Image'}", "-o", archive)
    image(kernel, "-i", archive, out=out)
    assert extracted(out) == archive.read_bytes()


def test_input_and_output_may_be_pipes(kernel, small):
    new, _ = drupe("image", "-k", kernel, "-i", "-", "-o", "-", stdin=small.read_bytes())
    same, _ = drupe("image", "-k", "-", "-i", small, "-o", "-", stdin=kernel.read_bytes())
    assert new == same and len(new) > 100000


def test_an_image_is_changed_in_place_or_not_at_all(kernel, tmp_path, small):
    out = tmp_path / "out"
    out.write_bytes(kernel.read_bytes())
    image(out, "-i", small, out=out)
    assert extracted(out) == small.read_bytes()
    whole = out.read_bytes()
    image(out, "-a", "x" * 9999, out=out, status=1)
    assert out.read_bytes() == whole and sorted(p.name for p in tmp_path.iterdir()) == ["out", "small", "small.cpio"]


def test_a_device_as_output_is_written_to_not_replaced(small, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(tmp_path / "copy", "wb") as copy, subprocess.Popen(["cat", fifo], stdout=copy) as reader:
        image(BUILD / "Image", "-i", small, out=fifo)
        reader.wait()
    assert fifo.is_fifo() and extracted(tmp_path / "copy") == small.read_bytes()
    assert "No space left on device" in image(BUILD / "Image", "-i", small, out="/dev/full", status=1)


def test_a_size_that_reaches_the_device_tree_is_warned_of(tmp_path):
    archive, out = tmp_path / "a.cpio", tmp_path / "out"
    archive.write_bytes(b"070701")
    os.truncate(archive, 30 << 20)
    assert image(BUILD / "Image", "-i", archive, out=out) == ""
    os.truncate(archive, 32 << 20)
    assert "firmware with a fixed place for the device tree (OpenSBI's fw_jump)" in image(BUILD / "Image", "-i", archive, out=out)

    os.truncate(archive, 1020 << 20)
    assert "QEMU's virt machine puts the device tree 1020 MiB behind" in image(BUILD / "Image", "-i", archive, out="/dev/null")


def test_an_archive_without_a_console_is_mentioned(tmp_path, small):
    console, archive, out = tmp_path / "console", tmp_path / "a.cpio", tmp_path / "out"
    console.write_text("nod /dev/console 600 0 0 c 5 1\n", encoding="ascii")
    drupe("pack", "-m", console, "-o", archive)
    assert "no /dev/console in the archive" in image(BUILD / "Image", "-i", small, out=out)
    assert image(BUILD / "Image", "-i", archive, out=out) == ""
    assert image(BUILD / "Image", "-i", archive, "-i", small, out=out) == ""


def test_verbose_tells_sizes(tmp_path, small):
    error = image(BUILD / "Image", "-i", small, "-a", "quiet", "-v", out=tmp_path / "out")
    assert f"{small.stat().st_size} bytes of archive; command line \"quiet\"" in error


@pytest.mark.parametrize("arguments, message", [
    (["-o", "x"], "nothing to change"),
    (["-i", "a"], "where should the image go?"),
    (["-x"], "where should the archive go?"),
    (["-i", "a", "-n", "-o", "x"], "exclude each other"),
    (["-x", "-i", "a", "-o", "x"], "--extract and --print-append read"),
    (["-p", "-a", "a"], "--extract and --print-append read"),
    (["-p", "-o", "x"], "--print-append prints to standard output"),
    (["-k", "-", "-i", "-", "-o", "x"], "standard input can be one file only"),
    (["a.cpio", "-o", "x"], "arguments without an option"),
    (["--nonsense"], "there is no option --nonsense"),
    (["-n", "-o", "x"], "which kernel? None came with this command"),
])
def test_misuse_is_told_with_status_2(arguments, message):
    _, error = drupe("image", *arguments, status=2)
    assert message in error and "--help" in error
