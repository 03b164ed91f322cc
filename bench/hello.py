#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long one waits for a program's first line: `drupe run`, and Debian's Linux with the program as its initramfs.

usage: hello.py BUILD-DIRECTORY

Wall time, so it differs from machine to machine; of ten and of three runs, the median. QEMU's own start and the firmware's are in it.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("hello"); fflush(stdout); while (getpid() == 1) pause(); return 0; }\n'
PIPE_MB = 200
LIMIT = 300  # seconds: generous, nothing but a hang reaches it


def until_hello(command):
    """Seconds from the start of a command until it has printed "hello"; it is ended then."""
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        text = b""
        while b"hello" not in text:
            more = os.read(process.stdout.fileno(), 65536)
            if not more or time.monotonic() - started > LIMIT:
                sys.exit(f"bench: no hello from {command}:\n{text.decode(errors='replace')[-2000:]}")
            text += more
        taken = time.monotonic() - started
        process.kill()
    return taken


def whole(command):
    """Seconds until a command has ended."""
    started = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=LIMIT, check=True)
    assert done.stdout == b"hello\n"
    return time.monotonic() - started


def through(command, source):
    """MB/s of a pipe that a command writes, or, with a source, reads."""
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE if source else subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        if source:
            for _ in range(PIPE_MB):
                process.stdin.write(source)
            process.stdin.close()
        while process.stdout.read(1 << 20):
            pass
    assert process.returncode == 0
    return PIPE_MB * (1 << 20) / 1e6 / (time.monotonic() - started)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as work:
        hello = pathlib.Path(work) / "hello"
        subprocess.run([build / "sysroot/bin/musl-gcc", "-O2", "-x", "c", "-", "-o", hello], input=SOURCE.encode(), check=True)
        subprocess.run([build / "drupe", "pack", "--sysroot", build / "sysroot", "-o", f"{work}/hello.cpio", f"/init={hello}"], check=True)
        run = [build / "drupe", "run", hello]
        ours = statistics.median(whole(run) for _ in range(10))
        out = through([build / "drupe", "run", "dd", "if=/dev/zero", "bs=1M", f"count={PIPE_MB}"], None)
        into = through([build / "drupe", "run", "dd", "of=/dev/null", "bs=64k"], bytes(1 << 20))
        linux = ["qemu-system-riscv64", "-machine", "virt", "-m", "1G", "-nographic", "-no-reboot", "-kernel", build / "linux/vmlinux",
                 "-initrd", f"{work}/hello.cpio", "-append", "quiet"]
        theirs = statistics.median(until_hello(linux) for _ in range(3)) if (build / "linux/vmlinux").exists() else None
    print(f"drupe run ./hello, until it has ended         {ours:6.2f} s   (aim: 0.3 s)")
    print(f"{PIPE_MB} MB out of a pipe of drupe run, with its start  {out:5.0f} MB/s\n{PIPE_MB} MB into one                               {into:5.0f} MB/s")
    if theirs is None:
        print("Debian's Linux: `make linux` fetches it, then this measures it, too")
    else:
        print(f"Debian's Linux 6.12, until hello is printed   {theirs:6.2f} s   {theirs / ours:.0f} times as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
