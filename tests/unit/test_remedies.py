# SPDX-License-Identifier: MIT
"""What the `drupe` command says of a mistake ends with what to type, or to do."""
import re

import pytest

from packing import MUSL, Root, drupe

# A command, an option, or what to do about a file.
REMEDY = re.compile(r"\b(ls|namei|df|ulimit|chmod|mount|readelf|split|make|apt|sed|man) |drupe [a-z]+|--[a-z]|-o |GUEST=|pack it|pack one|name |leave |"
                    r"begins with|goes here|#!/bin/sh|sysroot DIR")

MISTAKES = [
    "deps none", "deps dir/none", "deps host", "deps damaged", "deps script", "deps musl", "deps -s none musl", "deps -s file musl",
    "deps --why libnone.so own", "pack -o out none", "pack -o out host", "pack -o out damaged", "pack -o out script", "pack -o none/out own",
    "pack -o /dev/full own", "pack -o dir own", "pack -o out -m none", "pack -o out -m file", "pack -o out -m mode", "pack -o out -a none* own",
    "pack -o out -s . -a none* own", "pack -o out --gconv X own", "pack -o out /../x=own", "pack -o out /a=own /a=host", "pack -o out own/x",
    "pack -o out loop", "check none", "check dir", "check empty", "check good", "check --init /none good", "check --init /data good", "check --mem 1M good",
    "ls none", "ls dir", "ls host", "ls empty", "diff none good", "diff good dir", "image -k none --no-initrd -o out", "image -k file --no-initrd -o out",
    "image -k good --no-initrd -o out", "image -k host --no-initrd -o out", "run -k none true", "run -k file true", "run -k good true",
    "frob", "pack", "deps", "ls", "diff", "check", "image", "run", "pack --frob", "run --smp 0 true", "run --mem x true", "check --mem x good",
    "pack -o out -c x own", "pack -o out --owner x own", "pack -o out --mtime x own",
]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    root = Root(tmp_path_factory.mktemp("mistakes"))
    root.elf("own")
    root.elf("host", machine=62)
    root.elf("musl", ["libnone.so"], MUSL)
    root.file("damaged", b"\x7fELFxxxx", 0o755)
    root.file("script", "#!/none/sh\n", 0o755)
    root.file("file", "frob x\n")
    root.file("mode", "dir /a rwx 0 0\n")
    root.file("empty", "")
    root.file("data", "x")
    root.link("loop", "loop")
    root.file("dir/x", "x")
    drupe("pack", "-o", root / "good", "/data=data", cwd=root.path)
    return root.path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_what_to_type(here, mistake):
    command = mistake.split()
    status = 125 if command[0] == "run" else 2 if re.match(r"frob|diff|\w+$|.* --frob|.* --(mem|owner|mtime) x|.* -c x", mistake) else 1
    said = drupe(*command, cwd=here, status=status)[1]
    messages = re.split(r"^drupe: ", said, flags=re.M)[1:]
    assert messages
    for message in messages:
        if not re.match(r"\d+ errors?; nothing was|note: ", message):
            assert REMEDY.search(message), message
