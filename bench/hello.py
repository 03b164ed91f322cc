#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one waits for at a machine of `drupe run`: its start, bytes in and out, directories, the network; beside qemu-riscv64, which emulates one program,
and Debian's Linux in the same QEMU.

usage: hello.py BUILD-DIRECTORY

Wall time, and processor time of the start, so they differ from machine to machine; of a start the median is taken. QEMU's own start and the firmware's are in it.
"""
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
SOURCE = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("hello"); fflush(stdout); while (getpid() == 1) pause(); return 0; }\n'
PIPE_MB = 200
TESTS = 200
LIMIT = 300  # seconds: generous, nothing but a hang reaches it


def until_hello(command):
    """Seconds, and processor seconds, from the start of a command until it has printed "hello"; it is ended then."""
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
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return taken, used.ru_utime + used.ru_stime


def whole(command, said=b"hello\n"):
    """Seconds, and processor seconds, until a command has ended."""
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        text = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    assert (status, text) == (0, said), (command, status, text)
    return time.monotonic() - started, used.ru_utime + used.ru_stime


def median(measure, command, times, **more):
    """Of each of the two figures."""
    found = [measure(command, **more) for _ in range(times)]
    return tuple(statistics.median(figures) for figures in zip(*found))


def through(command, source):
    """MB/s of a pipe that a command writes, or, with a source, reads."""
    started = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE if source else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if source:
            for _ in range(PIPE_MB):
                process.stdin.write(source)
            process.stdin.close()
        while process.stdout.read(1 << 20):
            pass
    assert process.returncode == 0
    return PIPE_MB * (1 << 20) / 1e6 / (time.monotonic() - started)


def run_tests(work, command):
    """Seconds of ctest for 200 tests, two at a time; None without ctest."""
    if not shutil.which("ctest"):
        return None
    words = " ".join(f'"{word}"' for word in command)
    (work / "CTestTestfile.cmake").write_text("".join(f'add_test(t{i} {words})\n' for i in range(TESTS)), encoding="utf-8")
    started = time.monotonic()
    subprocess.run(["ctest", "-j2"], cwd=work, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


# ---- from inside

def serve(send):
    """A port of this side, whoever connects to which sends, or is sent 100 MB."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work():
        while True:
            peer, _ = listener.accept()
            with peer:
                if send:
                    peer.sendall(bytes(100 << 20))
                    peer.shutdown(socket.SHUT_WR)
                while peer.recv(1 << 20):
                    pass
    threading.Thread(target=work, daemon=True).start()
    return str(listener.getsockname()[1])


def make_volume(directory):
    (directory / "small").mkdir(parents=True)
    for i in range(2000):
        (directory / f"small/{i}").write_bytes(b"x" * 300)
    (directory / "large").write_bytes(os.urandom(1 << 20) * 100)
    return directory


def rows_of(command):
    """{name: seconds} of bench/machines.sh."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=LIMIT, check=False)
    text = done.stdout.decode(errors="replace").replace("\r", "")
    if "\nend\n" not in text:
        sys.exit(f"bench: {command[0]}: no end; it said:\n{text[-2000:]}")
    return {name: int(figure) / 100 for figure, name in re.findall(r"^row (\d+) (.*)$", text, re.M)}


def inside_drupe(build, work):
    directory = make_volume(work / "drupe")
    return rows_of([build / "drupe", "run", "-m", "512M", "--network", "user", "-v", f"{directory}:/v", "-f", f"{TOP}/bench/machines.sh:/machines", "/machines",
                    serve(False), serve(True)])


def inside_linux(build, work):
    """The same with Debian's Linux, the kernel's own root and the modules that it needs for it."""
    directory, top = make_volume(work / "linux"), work / "linux-root"
    shutil.copytree(build / "linux/modules", top / "modules")
    ports = f"{serve(False)} {serve(True)}"
    shutil.copy(TOP / "bench/machines.sh", top / "machines")
    (top / "machines").chmod(0o755)
    subprocess.run([build / "drupe", "pack", "--bare", "-o", work / "over.cpio", top], check=True, stderr=subprocess.DEVNULL)
    (work / "linux.cpio").write_bytes((build / "root.cpio").read_bytes() + (work / "over.cpio").read_bytes())
    return rows_of(["qemu-system-riscv64", "-machine", "virt", "-m", "512M", "-nographic", "-no-reboot", "-kernel", build / "linux/vmlinux", "-initrd",
                    work / "linux.cpio", "-append", f"quiet rdinit=/machines -- {ports}", "-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n",
                    "-fsdev", f"local,id=f,path={directory},security_model=none,multidevs=remap", "-device", "virtio-9p-device,fsdev=f,mount_tag=v"])


# ---- the table

def show(name, unit, *figures):
    cells = [f"{figure:9.{0 if figure > 50 else 2 if figure < 1 else 1}f}" if figure else f"{'-':>9}" for figure in figures]
    print(f"{name:52}{unit:>6}{''.join(cells)}", flush=True)


def starts(build, work, hello, user, linux):
    def user_only(*words):
        return [*user, *words] if user else None
    ours = median(whole, [build / "drupe", "run", hello], 10)
    theirs = median(until_hello, linux, 3) if linux else (None, None)
    alone = median(whole, user_only(hello), 10) if user else (None, None)
    show("drupe run ./hello (aim: 0.06)", "s", ours[0], theirs[0], alone[0])
    show("    processor time of it", "s", ours[1], theirs[1], alone[1])
    root = [build / "drupe", "run", "--root", build / "root.cpio", "echo", "hello"]
    whole(root)
    show("drupe run --root, the second time", "s", median(whole, root, 5)[0])
    show(f"ctest -j2, {TESTS} tests (aim: 10)", "s", run_tests(work, [build / "drupe", "run", hello]), None,
         run_tests(work, user_only(hello)) if user else None)


def pipes(build, user):
    busybox = [*user, build / "rootfs/bin/busybox"] if user else None
    out, into = ["dd", "if=/dev/zero", "bs=64k", f"count={PIPE_MB * 16}"], ["dd", "of=/dev/null", "bs=64k"]
    show(f"{PIPE_MB} MB out of a pipe, with the start (aim: 100)", "MB/s", through([build / "drupe", "run", *out], None), None,
         through([*busybox, *out], None) if user else None)
    show(f"{PIPE_MB} MB into one", "MB/s", through([build / "drupe", "run", *into], bytes(1 << 20)), None,
         through([*busybox, *into], bytes(1 << 20)) if user else None)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    user = ["qemu-riscv64", "-L", build / "sysroot"] if shutil.which("qemu-riscv64") else None
    has_linux = (build / "linux/modules").exists()
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as work:
        work = pathlib.Path(work)
        hello = work / "hello"
        subprocess.run([build / "sysroot/bin/musl-gcc", "-O2", "-x", "c", "-", "-o", hello], input=SOURCE.encode(), check=True)
        subprocess.run([build / "drupe", "pack", "--sysroot", build / "sysroot", "-o", work / "hello.cpio", f"/init={hello}"], check=True)
        linux = ["qemu-system-riscv64", "-machine", "virt", "-m", "1G", "-nographic", "-no-reboot", "-kernel", build / "linux/vmlinux",
                 "-initrd", work / "hello.cpio", "-append", "quiet"] if has_linux else None
        print(f"{'':58}{'drupe':>9}{'Linux':>9}{'user':>9}")
        starts(build, work, hello, user, linux)
        pipes(build, user)
        ours, theirs = inside_drupe(build, work), inside_linux(build, work) if has_linux else {}
        for name, seconds in ours.items():
            show(name, "s", seconds, theirs.get(name))
    if not has_linux:
        print("Linux: `make linux` fetches Debian's, then this measures it, too")
    if not user:
        print("user: qemu-riscv64, Debian's package qemu-user")
    return 0


if __name__ == "__main__":
    sys.exit(main())
