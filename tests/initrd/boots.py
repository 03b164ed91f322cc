# SPDX-License-Identifier: MIT
"""One boot of a case: a kernel in QEMU whose external archive is the walker's, with the case's behind it."""
import re

import archives
import machine

WALK = machine.BUILD / "tests/initrd/walk"
APPEND = "rdinit=/walk"


def front():
    """The archive with the walker, at whose end a buffer could begin as well."""
    walker = archives.archive(archives.entry("walk", WALK.read_bytes(), perm=0o755))
    return walker + archives.zeros(-len(walker) % 512)


def boot(case, folder, kernel, memory, append=APPEND):
    """(the tree that the walker printed, the console's other lines)"""
    initrd = folder / f"{case.name}.cpio"
    initrd.write_bytes(front() + case.data)
    _, console = machine.run(kernel=kernel, initrd=initrd, append=append, memory=memory)
    initrd.unlink()
    tree, log = [], []
    for line in console.replace("\r", "").split("\n"):
        if line.startswith("|"):
            tree.append(line[1:])
        else:
            log.append(line)
    assert tree and tree.pop() == "end", f"the walker did not come to its end; console:\n{console}"
    return tree, log


def shifted(part):
    """A part of a report as it is when the walker's archive stands in front."""
    part = re.sub(r"offset (\d+)", lambda m: f"offset {int(m[1]) + len(front())}", part)
    return re.sub(r"archive (\d+)", lambda m: f"archive {int(m[1]) + 1}", part)
