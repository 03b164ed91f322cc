#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole jobs in QEMU's processor time, what people wait for: on this kernel, on Debian's Linux in turn, and what is one program also by
qemu-riscv64, which emulates that program alone and has its system calls done by the host's kernel.

usage: jobs.py BUILD-DIRECTORY [ROUNDS]

A root of Debian 13's packages is made once by `drupe root` (BUILD/jobs). Each kernel boots it with jobs.sh as its init; the processor time that
QEMU has used is looked at when a job begins and when it ends. Of all rounds (2) the least is taken. What a job has made is summed up behind it, and
has to be the same in all rounds and on both kernels: else they did not do the same, and nothing is said of who was faster.
"""
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("bash coreutils grep sed gawk findutils tar gzip python3 gcc libc6-dev make git sqlite3 diffutils".split())
TICK = os.sysconf("SC_CLK_TCK")
LIMIT = 1800  # seconds: generous, nothing but a hang reaches it
MEMORY = "3G"
LIBRARY = "/usr/lib/python3.13"
SQL = ("create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) "
       "insert into t select x, hex(randomblob(30)) from c; create index i on t(b); select count(*) from t where b like '%A%';")
SINGLE = {  # name: how often, the program with its arguments
    "100 times /bin/true": (100, ["/usr/bin/true"]),
    "python3: imports": (1, ["/usr/bin/python3", "-c", "import asyncio, decimal, email.message, http.client, json, logging, unittest, xml.dom"]),
    "gzip: 6 MB": (1, ["/usr/bin/gzip", "-c", "/usr/bin/python3.13"]),
    "sqlite in memory: 20,000 rows": (1, ["/usr/bin/sqlite3", ":memory:", SQL]),
    "sort: 100,000 lines": (1, ["/usr/bin/sort", "/job/lines"]),
    "compileall: 5 packages": (1, ["/usr/bin/python3", "-m", "compileall", "-qf", *(f"{LIBRARY}/{p}" for p in ("json", "email", "asyncio", "http", "urllib"))]),
}


def make_root(build):
    """BUILD/jobs/root.cpio: the packages, and what jobs.sh needs beside them."""
    out = build / "jobs"
    out.mkdir(exist_ok=True)
    if not (out / "packages.cpio").exists():
        subprocess.run([build / "drupe", "root", "trixie", *PACKAGES, "-o", out / "packages.cpio"], check=True)
    with tempfile.TemporaryDirectory() as work:
        top = pathlib.Path(work)
        shutil.copytree(build / "deps/musl-source", top / "job/musl", symlinks=True)
        shutil.copy(TOP / "bench/jobs.sh", top / "init")
        (top / "init").chmod(0o755)
        draw = random.Random(1)
        (top / "job/lines").write_text("".join(f"{draw.getrandbits(64):016x} line {i}\n" for i in range(100000)), encoding="ascii")
        (top / "job/single.sh").write_text("".join(f"job {shlex.quote(name)} {'lines_of_output' if 'sqlite' in name else 'output'} repeat {times} {shlex.join(program)}\n"
                                                   for name, (times, program) in SINGLE.items()), encoding="ascii")
        for name in ("proc", "dev", "tmp", "usr/bin"):
            (top / name).mkdir(parents=True)
        (top / "usr/bin/sh").symlink_to("bash")  # what packages' scripts would have made
        (top / "usr/bin/awk").symlink_to("gawk")
        console = top.parent / f"{top.name}.console"
        console.write_text("nod /dev/console 600 0 0 c 5 1\n", encoding="ascii")
        subprocess.run([build / "drupe", "pack", "--bare", "-m", console, "-o", out / "own.cpio", top], check=True, stderr=subprocess.DEVNULL)
        console.unlink()
    (out / "root.cpio.new").write_bytes((out / "packages.cpio").read_bytes() + (out / "own.cpio").read_bytes())
    (out / "root.cpio.new").rename(out / "root.cpio")
    return out / "root.cpio"


def measure_single(build):
    """Seconds of qemu-riscv64's for each of SINGLE; none without it, or without bsdtar."""
    root = build / "jobs/unpacked"
    if not shutil.which("qemu-riscv64") or not shutil.which("bsdtar"):
        return {}
    shutil.rmtree(root, ignore_errors=True)  # with what programs of the last time have left for those of the next
    root.mkdir()
    for name in ("packages.cpio", "own.cpio"):
        subprocess.run(["bsdtar", "-xf", build / "jobs" / name, "-C", root, "--exclude", "./dev/*"], check=True, stderr=subprocess.DEVNULL)
    found = {}
    for name, (times, program) in SINGLE.items():
        program = [f"{root}{word}" if word.startswith("/") else word for word in program]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(times):
            subprocess.run(["qemu-riscv64", "-L", root, *program], env={"PATH": "/usr/bin", "HOME": "/tmp", "LC_ALL": "C"}, check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(kernel, archive, *options):
    """Seconds of QEMU's for each job, and the sum of what it made. One that has not said that it has ended within LIMIT seconds ends the command."""
    command = ["qemu-system-riscv64", "-machine", "virt", "-m", MEMORY, "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", archive,
               "-append", "quiet rdinit=/init randomize=boot uaccess=open", *options]
    found, made, begun, name, text = {}, {}, 0.0, None, ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as qemu:
        clock = threading.Timer(LIMIT, qemu.kill)
        clock.start()
        for line in qemu.stdout:
            text = line.decode(errors="replace").strip()
            used = processor_seconds(qemu.pid)
            if text.startswith("job "):
                name, begun = text[4:], used
            elif re.match(r"status \d+$", text) and name:
                if text != "status 0":
                    clock.cancel()
                    qemu.kill()
                    sys.exit(f"bench: {kernel}: {name}: {text}")
                found[name] = used - begun
            elif text.startswith("made ") and name:
                made[name], name = text[5:], None
            if text == "end":
                break
        clock.cancel()
        qemu.kill()
    if text != "end":
        sys.exit(f"bench: {kernel}: no end within {LIMIT} s, in the job: {name}; last words: {text}")
    return found, made


def least(found, so_far):
    for name, seconds in found.items():
        so_far[name] = min(so_far.get(name, seconds), seconds)


def check_made(made, so_far, kernel):
    for name, what in made.items():
        if so_far.setdefault(name, what) != what:
            sys.exit(f"bench: {name}: what {kernel} has made is not what was made before: {what}, {so_far[name]}")


def columns(seconds, *others):
    """Ours, and each of the others' with how many times ours it is."""
    beside = "".join(f"{other:8.2f} {other / seconds:6.2f}" if other else f"{'-':>8} {'-':>6}" for other in others)
    return f"{seconds:8.2f} {beside}"


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    archive = make_root(build)
    linux = build / "linux/vmlinux"
    ours, theirs, users, made = {}, {}, {}, {}
    for _ in range(rounds):
        for kernel, options, so_far in ((build / "bare/Image", ("-bios", build / "firmware/firmware.bin"), ours), (linux, (), theirs)):
            if kernel.exists():
                seconds, sums = measure(kernel, archive, *options)
                least(seconds, so_far)
                check_made(sums, made, kernel)
        least(measure_single(build), users)
    print(f"{'QEMU processor time, seconds':36} {'drupe':>8} {'Linux':>8} {'ratio':>6}{'user':>8} {'ratio':>6}")
    for name, seconds in ours.items():
        print(f"{name:36} {columns(seconds, theirs.get(name), users.get(name))}")
    if not theirs:
        print("Debian's Linux: `make linux` fetches it, then this measures it, too")
    if not users:
        print("user: qemu-riscv64 (Debian's package qemu-user), with bsdtar (libarchive-tools)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
