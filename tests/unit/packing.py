# SPDX-License-Identifier: MIT
"""What the tests of the `drupe` command share: running it, sysroots of tiny objects compiled here, and two looks at an archive.

What an archive means is asked of the kernel's own lib/ (unpack-to-text).
"""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

BUILD = pathlib.Path(os.environ["DRUPE_BUILD"])
DRUPE = BUILD / "host/asan/drupe"
UNPACK = BUILD / "host/unit/unpack-to-text"
CC = os.environ.get("CROSS", "riscv64-linux-gnu-") + "gcc"
MUSL = "/lib/ld-musl-riscv64.so.1"
GLIBC = "/lib/ld-linux-riscv64-lp64d.so.1"


def drupe(*arguments, status=0, cwd=None, env=None, stdin=None):
    """Runs the command; gives (stdout, stderr) after checking the exit status."""
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    environment |= {"ASAN_OPTIONS": "detect_leaks=0", **(env or {})}  # the tool leaves its memory to exit
    done = subprocess.run([DRUPE, *map(str, arguments)], capture_output=True, cwd=cwd, env=environment, input=stdin, check=False)
    error = done.stderr.decode()
    assert done.returncode == status, error
    assert "Sanitizer" not in error and "runtime error" not in error
    return done.stdout, error


class Root:
    """A sysroot under construction."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def __str__(self):
        return str(self.path)

    def __truediv__(self, name):
        return self.path / name.lstrip("/")

    def file(self, name, text="", mode=0o644):
        path = self / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def link(self, name, target):
        path = self / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def elf(self, name, needs=(), loader=None, rpath=None, runpath=None, soname=None, machine=None, link=(), versions=None, flags=(),
            source="void start(void) {}"):
        """A program (with a loader) or a library.

        `needs` are NEEDED names; stubs with these sonames are linked against. `link`: libraries to link against themselves.
        `versions`: a version script. `source`: in C.
        """
        path = self / name
        path.parent.mkdir(parents=True, exist_ok=True)
        stubs = path.parent / ".stubs"
        stubs.mkdir(exist_ok=True)
        base = [CC, "-nostdlib", "-fPIC", "-x", "c", "-", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"]
        command = [*base, "-o", path, *flags]
        command += ["-pie", f"-Wl,--dynamic-linker={loader}", "-Wl,-e,start"] if loader else ["-shared"]
        command += [f"-Wl,-soname,{soname}"] if soname else []
        command += [f"-Wl,-rpath,{rpath}", "-Wl,--disable-new-dtags"] if rpath else []
        command += [f"-Wl,-rpath,{runpath}", "-Wl,--enable-new-dtags"] if runpath else []
        for i, need in enumerate(needs):
            stub = stubs / f"{i}.so"
            subprocess.run([*base, "-shared", f"-Wl,-soname,{need}", "-o", stub], input=b"", check=True)
            command += ["-x", "none", stub]
        if versions:
            (stubs / "versions").write_text(versions)
            command += [f"-Wl,--version-script={stubs}/versions"]
        command += ["-x", "none", *link] if link else []
        subprocess.run(command, input=source.encode(), check=True)
        shutil.rmtree(stubs)
        if machine:
            data = bytearray(path.read_bytes())
            struct.pack_into("<H", data, 18, machine)
            path.write_bytes(data)
        return path


def names(archive):
    return drupe("ls", archive)[0].decode().split("\n")[:-1]


def tree(*archives, status=0):
    """Lines of the tree that the archives unpack to, by name."""
    done = subprocess.run([UNPACK, *archives], capture_output=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout.decode().split("\n")[:-1]


def line(archive, name):
    found = [x for x in tree(archive) if re.match(rf". \d+ \d+:\d+ \d+ {re.escape(name)}( |$)", x)]
    assert found, f"{name} is not in the archive"
    return found[0]


def entries(archive):
    """(name, fields, data offset) of each entry, read independently of the tool."""
    data, at, result = pathlib.Path(archive).read_bytes(), 0, []
    while True:
        assert data[at:at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11]].split(b"\0")[0].decode()
        body = (at + 110 + fields[11] + 3) & ~3
        result.append((name, fields, body))
        if name == "TRAILER!!!":
            return result
        at = (body + fields[6] + 3) & ~3


def dlopen_note(text, owner=b"FDO\0", kind=0x407c0c0a):
    """C source of a .note.dlopen that holds this text, or this value as JSON."""
    text = text if isinstance(text, bytes) else json.dumps(text).encode() + b"\0"
    note = struct.pack("<III", len(owner), len(text), kind) + owner + text + bytes(-len(text) % 4)
    values = ",".join(map(str, note))
    return f'asm(".pushsection .note.dlopen,\\"a\\",%note\\n.balign 4\\n.byte {values}\\n.popsection");'
