# SPDX-License-Identifier: MIT
"""docs/hacking.md: its patches apply to this tree, the kernel with all of them is built, and what it shows in a machine is so."""
import re
import shutil
import subprocess

import machine

DOCUMENT = machine.TOP / "docs/hacking.md"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)


def copy_tree(to):
    """The tree as it is, times included, with what is built of the kernel: only what the patches touch is made anew."""
    for name in ("kernel", "lib", "deps", "tools", "rootfs"):
        shutil.copytree(machine.TOP / name, to / name, symlinks=True)
    shutil.copy2(machine.TOP / "Makefile", to)
    (to / "build").mkdir()
    for path in machine.BUILD.iterdir():
        if path.name in ("kernel", "include"):
            shutil.copytree(path, to / "build" / path.name, symlinks=True)
        elif path.name in ("deps", "sysroot"):
            (to / "build" / path.name).symlink_to(path)


def build(tree):
    for patch in blocks("diff"):
        subprocess.run(["patch", "-p1", "-s", "-F2"], cwd=tree, input=patch, text=True, check=True)
    made = subprocess.run(["make", "-C", str(tree), f"INITRD={machine.BUILD}/root.cpio", "build/drupe.elf", "build/Image"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout[-3000:]
    return tree / "build/Image"


def test_patches_of_the_document_work(tmp_path, boot, musl_gcc):
    copy_tree(tmp_path)
    programs = []
    for program in blocks("c"):
        name = re.match(r"// (\S+)\.c\n", program)[1]
        programs.append(f"/{name}={musl_gcc(tmp_path / name, program, '-static')}")
    subprocess.run([str(machine.BUILD / "drupe"), "pack", "--bare", *programs, "-o", str(tmp_path / "try.cpio")], check=True)
    m = boot(kernel=build(tmp_path), initrd=tmp_path / "try.cpio", smp=2)
    m.shell()
    for block in blocks("console"):
        for command, output in re.findall(r"^# (.*)\n((?:[^#].*\n)*)", block, re.M):
            assert re.sub(r"\x1b\[[0-9;]*m", "", m.run(command)).strip("\n") == output.strip("\n"), command
