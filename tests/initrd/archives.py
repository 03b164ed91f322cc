# SPDX-License-Identifier: MIT
"""Makes initramfs buffers byte by byte: any field of any entry can be given, right or wrong.

The parts are bytes, to be put one after the other: entries, TRAILER, zeros(), compressed parts. An archive is
archive(entry, entry, ...). Unless it is told otherwise, an entry has owner 0:0, one name, and the mtime 7 for a
file or special file, 8 for a symlink, 9 for a directory; so a tree shows which of them gave a file its time.
"""
import bz2
import gzip
import lzma
import subprocess

FIELDS = ("ino", "mode", "uid", "gid", "nlink", "mtime", "size", "major", "minor", "rmajor", "rminor", "name_size",
          "check")
TYPES = {"file": 0o100000, "dir": 0o040000, "symlink": 0o120000, "char": 0o020000, "block": 0o060000,
         "fifo": 0o010000, "socket": 0o140000, "none": 0}


def padded(data):
    return data + bytes(-len(data) % 4)


def entry(name, body=b"", kind="file", perm=0o644, *, magic=b"070701", digits=None, **fields):
    """One newc entry. `name` as text is ended with a NUL, as bytes it stays as it is. `digits` = {field: 8 bytes}
    puts these into the header instead of the number."""
    raw = name.encode() + b"\0" if isinstance(name, str) else name
    body = body.encode() if isinstance(body, str) else body
    values = dict.fromkeys(FIELDS, 0) | {"mode": TYPES[kind] | perm, "nlink": 1, "mtime": 7, "size": len(body),
                                         "name_size": len(raw)} | fields
    header = magic + b"".join((digits or {}).get(field, b"%08X" % values[field]) for field in FIELDS)
    return padded(header + raw) + padded(body)


def file(name, body="", perm=0o644, **fields):
    return entry(name, body, "file", perm, **fields)


def crc(name, body="", **fields):
    """A file in the crc format, with its true sum."""
    return file(name, body, **{"magic": b"070702", "check": sum(body.encode())} | fields)


def directory(name, perm=0o755, **fields):
    return entry(name, b"", "dir", perm, **{"mtime": 9, "nlink": 2} | fields)


def symlink(name, target, **fields):
    return entry(name, target, "symlink", 0o777, **{"mtime": 8} | fields)


def node(name, kind, rmajor=0, rminor=0, perm=0o600, **fields):
    return entry(name, b"", kind, perm, rmajor=rmajor, rminor=rminor, **fields)


def name_of(name, ino, body="", **fields):
    """One of the two names of a file that is linked."""
    return file(name, body, **{"ino": ino, "nlink": 2} | fields)


def parents(name):
    """Entries for all directories above the name."""
    parts = name.split("/")[:-1]
    return b"".join(directory("/".join(parts[:i + 1])) for i in range(len(parts)))


def zeros(count):
    return bytes(count)


TRAILER = entry("TRAILER!!!", kind="none", perm=0, mtime=0)


def archive(*entries):
    return b"".join(entries) + TRAILER


def odc(name, body=""):
    """One entry in the old portable format, with its trailer."""
    def member(name, body, mode):
        return b"070707" + b"%06o" % 0 * 2 + b"%06o" % mode + b"%06o" % 0 * 2 + b"%06o" % 1 + b"%06o" % 0 + \
            b"%011o%06o%011o" % (7, len(name) + 1, len(body)) + name.encode() + b"\0" + body.encode()
    return member(name, body, 0o100644) + member("TRAILER!!!", "", 0)


def _filter(data, *command):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def gzipped(data, level=9):
    """Level 0 only wraps: 15 bytes, then the data."""
    return gzip.compress(data, level, mtime=0)


def zstd(data):
    return _filter(data, "zstd", "-q", "-c", "-")


def lz4_legacy(data):
    return _filter(data, "lz4", "-q", "-l", "-c", "-")


def lz4_frame(data):
    return _filter(data, "lz4", "-q", "-c", "-")


def xz(data):
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def lzma_alone(data):
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def bzip2(data):
    return bz2.compress(data)


def to_4(data):
    """With zeros up to a multiple of 4, which Linux wants where an uncompressed archive follows."""
    return padded(data)


def fnv(data):
    """A large file's content, as trees show it."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return f"{len(data)} bytes, FNV {value:08x}"
