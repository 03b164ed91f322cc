#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole jobs in QEMU's processor time, what people wait for: on this kernel and on Debian's Linux in turn.

usage: jobs.py BUILD-DIRECTORY [ROUNDS]

A root of Debian 13's packages is made once by `drupe root` (BUILD/jobs). Each kernel boots it with jobs.sh as its init; the processor time that
QEMU has used is looked at when a job begins and when it ends. Of all rounds (2) the least is taken.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("bash coreutils grep sed gawk findutils tar gzip python3 gcc libc6-dev make git sqlite3 diffutils".split())
TICK = os.sysconf("SC_CLK_TCK")
LIMIT = 1800  # seconds: generous, nothing but a hang reaches it
MEMORY = "3G"


def make_root(build):
    """BUILD/jobs/root.cpio: the packages, and what jobs.sh needs beside them."""
    out = build / "jobs"
    out.mkdir(exist_ok=True)
    if not (out / "root.cpio").exists():
        if not (out / "packages.cpio").exists():
            subprocess.run([build / "drupe", "root", "trixie", *PACKAGES, "-o", out / "packages.cpio"], check=True)
        with tempfile.TemporaryDirectory() as work:
            top = pathlib.Path(work)
            shutil.copytree(build / "deps/musl-source", top / "job/musl", symlinks=True)
            shutil.copy(build / "rootfs/bin/busybox", top / "job/busybox")
            shutil.copy(TOP / "bench/jobs.sh", top / "init")
            (top / "init").chmod(0o755)
            for name in ("proc", "dev", "tmp", "usr/bin"):
                (top / name).mkdir(parents=True)
            (top / "usr/bin/sh").symlink_to("bash")  # what packages' scripts would have made
            (top / "usr/bin/awk").symlink_to("gawk")
            subprocess.run([build / "drupe", "pack", "--bare", "-s", build / "sysroot", "-o", out / "own.cpio", top], check=True)
        (out / "root.cpio.new").write_bytes((out / "packages.cpio").read_bytes() + (out / "own.cpio").read_bytes())
        (out / "root.cpio.new").rename(out / "root.cpio")
    return out / "root.cpio"


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(kernel, archive):
    """Seconds of QEMU's for each job."""
    command = ["qemu-system-riscv64", "-machine", "virt", "-m", MEMORY, "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", archive,
               "-append", "quiet rdinit=/init randomize=boot uaccess=open"]
    found, begun, name = {}, 0.0, None
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as qemu:
        for line in qemu.stdout:
            text = line.decode(errors="replace").strip()
            used = processor_seconds(qemu.pid)
            if text.startswith("job "):
                name, begun = text[4:], used
            elif re.match(r"status \d+$", text) and name:
                if text != "status 0":
                    sys.exit(f"bench: {kernel}: {name}: {text}")
                found[name], name = used - begun, None
            if text == "end" or time.monotonic() - started > LIMIT:
                break
        qemu.kill()
    return found


def least(kernel, archive, so_far):
    for name, seconds in measure(kernel, archive).items():
        so_far[name] = min(so_far.get(name, seconds), seconds)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    archive = make_root(build)
    linux = build / "linux/vmlinux"
    ours, theirs = {}, {}
    for _ in range(rounds):
        least(build / "bare/Image", archive, ours)
        if linux.exists():
            least(linux, archive, theirs)
    print(f"{'QEMU processor time, seconds':36} {'drupe':>8} {'Linux':>8} {'ratio':>6}")
    for name, seconds in ours.items():
        beside = theirs.get(name)
        print(f"{name:36} {seconds:8.2f} " + (f"{beside:8.2f} {beside / seconds:6.1f}" if beside else f"{'-':>8} {'-':>6}"))
    if not theirs:
        print("Debian's Linux: `make linux` fetches it, then this measures it, too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
