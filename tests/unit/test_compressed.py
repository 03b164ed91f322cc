# SPDX-License-Identifier: MIT
"""Compressed archives, alone and mixed with others, through the unpacker that the kernel has (unpack-to-text)."""
import bz2
import gzip
import lzma
import random
import subprocess

import packing
import pytest



def newc(name, data=b"", mode=0o100644):
    raw = name.encode() + b"\0"
    fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    entry = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def archive(*entries, trailer=True):
    return b"".join(entries) + (newc("TRAILER!!!", mode=0) if trailer else b"")


def command(*line):
    return lambda data: subprocess.run(line, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


COMPRESSORS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "gzip-with-a-name": lambda data: b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0" + gzip.compress(data, mtime=0)[10:],
    "zstd": command("zstd", "-q", "-c"),
    "zstd-largest-window": command("zstd", "-q", "-c", "--ultra", "-22", "--long=31"),
    "zstd-with-checksum": command("zstd", "-q", "-c", "--check"),
    "lz4": command("lz4", "-q", "-c"),
    "lz4-linked-blocks-and-checksums": command("lz4", "-q", "-c", "-BD", "-BX", "-B4"),
    "lz4-largest-blocks": command("lz4", "-q", "-c", "-B7", "-9"),
    "lz4-legacy": command("lz4", "-q", "-c", "-l"),
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "xz-without-check": lambda data: lzma.compress(data, check=lzma.CHECK_NONE, preset=9),
}

noise = random.Random(1)
BIG = b"".join(noise.choice([b"word ", b"other ", bytes([noise.randrange(256)])]) for _ in range(100000))


def unpack(tmp_path, data):
    """(status, tree lines, what was said) of a buffer."""
    file = tmp_path / "buffer"
    file.write_bytes(data)
    done = subprocess.run([packing.UNPACK, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr.decode()[-2000:]
    return done.returncode, done.stdout.decode("utf-8", "replace").splitlines(), done.stderr.decode("utf-8", "replace")


def names(tree):
    return [line.split()[4] for line in tree]


@pytest.fixture(params=COMPRESSORS, ids=str)
def compress(request):
    return COMPRESSORS[request.param]


def test_a_compressed_archive_gives_the_same_tree(tmp_path, compress):
    plain = archive(newc("d", mode=0o040755), newc("d/big", BIG), newc("d/small", b"x"), newc("l", b"d/big", 0o120777))
    assert unpack(tmp_path, compress(plain)) == unpack(tmp_path, plain)


def test_archives_of_all_kinds_follow_each_other_with_zeros_between(tmp_path, compress):
    buffer = archive(newc("a", b"1")) + b"\0" * 512 + compress(archive(newc("b", b"2"))) + b"\0" * 7 + \
        compress(archive(newc("c", b"3"))) + b"\0" * 100
    buffer += b"\0" * (-len(buffer) % 4) + archive(newc("d", b"4")) + b"\0" * 1000
    status, tree, said = unpack(tmp_path, buffer)
    assert (status, said) == (0, "") and names(tree) == [".", "a", "b", "c", "d"]


def test_an_archive_may_reach_over_several_frames(tmp_path, compress):
    plain = archive(newc("a", BIG[:5000]), newc("b", BIG))
    assert unpack(tmp_path, compress(plain[:3000]) + compress(plain[3000:])) == unpack(tmp_path, plain)


def test_a_compressed_archive_cut_anywhere_is_reported(tmp_path, compress):
    whole = compress(archive(newc("a", BIG[:30000])))
    for end in range(8, len(whole) - 1, len(whole) // 20):
        status, _, said = unpack(tmp_path, whole[:end])
        assert status == 1 and "offset 0: " in said, end


def test_damage_is_reported_or_harmless(tmp_path, compress):
    whole = bytearray(compress(archive(newc("a", BIG[:3000]), newc("b", b"y" * 500))))
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[noise.randrange(6, len(whole))] ^= 1 << noise.randrange(8)
        unpack(tmp_path, bytes(damaged))  # neither crashes nor reads what was released: the sanitizers watch


def test_what_came_before_a_damaged_archive_stays(tmp_path, compress):
    status, tree, _ = unpack(tmp_path, archive(newc("a", b"1")) + compress(archive(newc("b", BIG)))[:-40])
    assert status == 1 and "a" in names(tree)


@pytest.mark.parametrize("name,data", [
    ("bzip2", bz2.compress(b"x" * 100)),
    ("lzma", lzma.compress(b"x" * 100, format=lzma.FORMAT_ALONE)),
    ("lzo", b"\x89LZO\0\r\n\x1a\n" + b"x" * 50)])
def test_a_compressor_that_is_not_built_in_is_named(tmp_path, name, data):
    status, _, said = unpack(tmp_path, archive(newc("a", b"1")) + data)
    assert status == 1 and f"{name}: not built in" in said


def test_xz_with_another_check_says_what_to_do(tmp_path):
    status, _, said = unpack(tmp_path, lzma.compress(archive(newc("a")), check=lzma.CHECK_CRC64))
    assert status == 1 and "--check=crc32" in said


def test_compressed_data_in_compressed_data_is_refused(tmp_path, compress):
    status, tree, said = unpack(tmp_path, compress(compress(archive(newc("a")))))
    assert status == 1 and said and names(tree) == ["."]


@pytest.mark.parametrize("kind", ["gzip", "zstd", "lz4", "lz4-legacy", "xz"])
def test_more_output_than_memory_is_reported(tmp_path, kind):
    status, _, said = unpack(tmp_path, COMPRESSORS[kind](archive(newc("a", b"\0" * (257 << 20)))))
    assert status == 1 and "memory" in said


@pytest.mark.parametrize("how,check", [("gzip", ["gzip", "-tc"]), ("gzip:1", ["gzip", "-tc"]), ("zstd", ["zstd", "-tqc"]),
                                       ("zstd:22", ["zstd", "-tqc"]), ("lz4", ["lz4", "-tqc"]), ("xz", ["xz", "-tc"]),
                                       ("none", ["cat"])])
def test_pack_compresses_what_it_would_write(tmp_path, how, check):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/big").write_bytes(BIG)
    (tmp_path / "in/small").write_bytes(b"x")

    def pack(name, *options):
        packing.drupe("pack", *options, "-o", tmp_path / name, tmp_path / "in")
        return (tmp_path / name).read_bytes()

    packed = pack("packed", "--compress", how)
    assert packed == pack("again", "--compress", how)
    assert unpack(tmp_path, packed) == unpack(tmp_path, pack("plain"))
    subprocess.run(check, input=packed, stdout=subprocess.DEVNULL, check=True)
    assert how == "none" or len(packed) < len(BIG)


@pytest.mark.parametrize("how", ["", "zip", "zstd:", "zstd:23", "gzip:x", "xz:-1"])
def test_pack_says_what_compress_takes(tmp_path, how):
    error = packing.drupe("pack", "--compress", how, "-o", tmp_path / "x", tmp_path, status=2)[1]
    assert "none, gzip (levels 1 to 9), zstd" in error
    assert not (tmp_path / "x").exists()


# ---- the tools that read them ----

def test_ls_and_diff_read_plain_and_compressed_archives_in_one_file(tmp_path):
    parts = [archive(newc("plain", b"1")), bytes(8), COMPRESSORS["zstd"](archive(newc("a", b"22")) + bytes(12)),
             COMPRESSORS["gzip"](archive(newc("b", b"333"))), bytes(4), archive(newc("c"))]
    mixed, plain = tmp_path / "mixed", tmp_path / "plain"
    mixed.write_bytes(b"".join(parts))
    plain.write_bytes(archive(newc("plain", b"1"), newc("a", b"22"), newc("b", b"333"), newc("c")))
    assert packing.names(mixed) == ["plain", "a", "b", "c"]
    assert packing.drupe("diff", mixed, plain) == (b"", "")


def test_ls_does_not_join_links_of_archives_in_one_stream_or_outside(tmp_path):
    def link(name, data):
        entry = bytearray(newc(name, data))
        entry[38:46] = b"00000002"
        return archive(bytes(entry))
    file = tmp_path / "links"
    file.write_bytes(link("a", b"1") + COMPRESSORS["gzip"](link("b", b"22") + link("c", b"333")) + link("d", b"4444"))
    assert [line.split()[4] for line in packing.drupe("ls", "-l", file)[0].decode().splitlines()] == ["1", "2", "3", "4"]


def test_ls_lists_what_is_before_the_damage(tmp_path):
    file = tmp_path / "cut"
    file.write_bytes(archive(newc("a")) + COMPRESSORS["gzip"](archive(newc("b"), newc("c", BIG)))[:-20000])
    text, error = packing.drupe("ls", file, status=1)
    assert text.decode().split()[:2] == ["a", "b"] and "gzip data at offset 236: it ends too early" in error
