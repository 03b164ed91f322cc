# SPDX-License-Identifier: MIT
"""One of examples/ in a machine: its archive made, booted on a kernel, and what it claims."""
import functools
import re
import subprocess

import machine

FOLDER = machine.TOP / "examples"
NAMES = sorted(recipe.parent.name for recipe in FOLDER.glob("*/recipe"))
LINUX = machine.BUILD / "linux/vmlinux"


class Missing(Exception):
    """The packages, or Linux, cannot be had here."""


@functools.cache
def make(target):
    """Has make make a file under BUILD."""
    made = subprocess.run(["make", "-s", "-C", str(machine.TOP), f"B={machine.BUILD}", f"{machine.BUILD}/{target}"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode and "cannot be had" in made.stdout:
        raise Missing(made.stdout.split("deps: what to try")[0].strip()[-500:])
    assert made.returncode == 0, made.stdout
    return machine.BUILD / target


def boot(name, harts, *arguments, linux=False, limit=3600):
    """Runs the check. Returns what stands on the console from the start of its program."""
    archive = make(f"examples/{name}.cpio")
    memory = re.search(r"^memory=(\S+)", (FOLDER / name / "recipe").read_text(encoding="utf-8"), re.M)[1]
    # QEMU keeps what it has translated where addresses are the same: starts of one program after another cost less.
    append = " ".join(["console=ttyS0 quiet panic=-1 norandmaps" if linux else "randomize=boot", "--", "/example/run", *arguments])
    kernel = make("linux/vmlinux") if linux else machine.BUILD / "bare/Image"
    try:
        status, console = machine.run(limit=limit, kernel=kernel, initrd=archive, append=append, smp=harts, memory=memory)
    except subprocess.TimeoutExpired as e:
        status, console = f"no end within {limit} s", (e.stdout or b"").decode("utf-8", "replace")
    console = console.replace("\r", "")
    assert "\nSTATUS " in console, f"the machine ended ({status}) before the check did:\n{console[-5000:]}"
    return console


def claims(console):
    """(what holds, what does not with the lines that tell why)"""
    holds = re.findall(r"^ok (\w+)", console, re.M)
    fails = re.findall(r"^not ok .*(?:\n# .*)*", console, re.M)
    return holds, fails
