# SPDX-License-Identifier: MIT
"""A 9P server that stops answering: QEMU's, with 9p/server.c in it. Whoever waits for it can be killed, in whatever request; it stops
nobody who does not want anything of it; and what a program has written is there when it has ended, unless it was killed."""
import errno
import os
import subprocess
import time

import machine
import pexpect
import pytest

HERE = machine.TOP / "tests/boot/9p"


class Server:
    """What the server is told, and tells."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def stall(self, call):
        (self.path / f"stalled.{call}").unlink(missing_ok=True)
        (self.path / f"stall.{call}").touch()

    def wait(self, call):
        end = time.monotonic() + machine.LIMIT
        while not (self.path / f"stalled.{call}").exists():
            assert time.monotonic() < end, f"nobody asked for {call}"
            time.sleep(0.01)

    def go_on(self, call):
        (self.path / f"stall.{call}").unlink()

    def fail(self, call, error):
        (self.path / f"fail.{call}").write_text(str(error))

    def lie(self, *lines):
        (self.path / "lie.new").write_text("".join(line + "\n" for line in lines))
        (self.path / "lie.new").rename(self.path / "lie.stat")

    def answer(self, call):
        (self.path / f"fail.{call}").unlink()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    out = tmp_path_factory.mktemp("server") / "server.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", out, HERE / "server.c", "-ldl"], check=True)
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    out = tmp_path_factory.mktemp("mapped") / "mapped"
    subprocess.run([machine.BUILD / "sysroot/bin/musl-gcc", "-O1", "-static", "-o", out, HERE / "mapped.c"], check=True)
    return out


@pytest.fixture
def start(tmp_path, monkeypatch, library):
    """start(**options): a machine with the directory `host` at /host, the directory, and its server."""
    machines = []

    def make(**options):
        server, host = Server(tmp_path / "server"), tmp_path / "host"
        host.mkdir()
        (host / "d").mkdir()
        monkeypatch.setenv("DRUPE_SERVER", str(server.path))
        monkeypatch.setenv("LD_PRELOAD", str(library))
        m = machine.Machine(**{"smp": 2, **options}, extra=(
            "-fsdev", f"local,id=host,path={host},security_model=none,multidevs=remap", "-device", "virtio-9p-device,fsdev=host,mount_tag=host"))
        monkeypatch.delenv("LD_PRELOAD")
        machines.append(m)
        m.shell()
        m.run("mkdir /host; mount -t 9p -o trans=virtio host /host; cd /host")
        return m, host, server

    yield make
    for m in machines:
        m.close()


REQUESTS = [("mkdir", "mkdir x"), ("create", "true >x"), ("mknod", "mknod x p"), ("symlink", "ln -s a x"), ("link", "ln f x"), ("rename", "mv f d/f"),
            ("unlink", "rm f"), ("unlink", "rmdir d"), ("readlink", "readlink l"), ("utimes", "touch -d @1 f"), ("chmod", "chmod 7 f"),
            ("chown", "chown 7 f"), ("sync", "fsync f"), ("truncate", "truncate -s 1 f"), ("statfs", "stat -f ."), ("read", "cat f"), ("write", "echo x >>f"),
            ("stat", "ls -l f"), ("stat", "cd d"), ("readdir", "ls"), ("opendir", "ls d"), ("open", "cat f")]


def test_who_waits_in_whatever_request_can_be_killed(start):
    m, host, server = start()
    for call, command in REQUESTS:
        m.run("rm -rf x f l d; mkdir d; echo text >f; chmod 644 f; ln -s f l")
        server.stall(call)
        m.run(f"{command} & p=$!")
        server.wait(call)
        m.send("kill -9 $p; wait $p; echo $? has en''ded\r")
        m.expect("137 has ended")
        m.expect(machine.PROMPT)
        server.go_on(call)
    assert "text" in m.run("cd /host; echo text >f; cat f")


def test_a_mount_waits_for_no_server_but_its_own_place_s(start):
    m, host, server = start()
    (host / "place").mkdir()
    m.run("mkdir /mnt; ls -l")
    server.stall("mkdir")
    m.run("mkdir x & maker=$!")
    server.wait("mkdir")
    m.run("mount -t tmpfs none place & mounter=$!; sleep 0.2")  # behind the one who has the directory
    assert "0\n" in m.run("mount -t tmpfs none /mnt; umount /mnt; echo $?")
    m.send("kill -9 $mounter; wait $mounter; kill -9 $maker; wait $maker; echo have en''ded\r")
    m.expect("have ended")
    m.expect(machine.PROMPT)
    server.go_on("mkdir")
    assert "0\n" in m.run("mount -t tmpfs none place && touch place/x && umount place; echo $?")


def wait_for(condition):
    end = time.monotonic() + machine.LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_written(path, pages):
    return path.exists() and path.read_bytes() == b"m" * (4096 * pages)


def test_what_a_program_wrote_is_there_when_it_has_ended(start, program):
    m, host, server = start()
    subprocess.run(["cp", program, host / "mapped"], check=True)
    for how, status in (("exit", 0), ("return", 0), ("thread", 0), ("exec", 0), ("signal", 143)):
        server.stall("write")
        m.send(f"./mapped {how} 100 {how} & wait $!; echo status $?\r")  # a child's end takes busybox's shell away from its prompt
        server.wait("write")
        assert m.child.expect([r"status", pexpect.TIMEOUT], timeout=0.3) == 1, how
        server.go_on("write")
        assert f"status {status}\r" in m.expect(machine.PROMPT), how
        assert is_written(host / how, 100), how


def test_a_killed_program_does_not_wait_for_what_it_wrote(start, program):
    m, host, server = start()
    subprocess.run(["cp", program, host / "mapped"], check=True)
    for how, status in (("exit", 0), ("stay", 137)):  # at its end, and before
        server.stall("write")
        m.run(f"./mapped {how} 100 {how} & p=$!")
        server.wait("write")
        assert f"status {status}\n" in m.run("kill -9 $p; wait $p; echo status $?")
        server.go_on("write")
        wait_for(lambda: is_written(host / how, 100))
        m.run("sync")


def test_what_is_not_with_the_server_yet_has_a_limit(start, program):
    """80 MB through a mapping, in 256 MB of memory, while the server takes nothing: who writes waits, and can be killed."""
    m, host, server = start(memory="256M")
    subprocess.run(["cp", program, host / "mapped"], check=True)
    m.run("cp mapped /tmp")
    for i in range(2):
        server.stall("write")
        m.run("/tmp/mapped stay 20000 f >/tmp/out & p=$!")
        server.wait("write")
        m.run("while n=$(awk '/Dirty/ {print $2}' /proc/meminfo); test $n -lt 20000; do sleep 0.1; done; sleep 0.5")
        dirty = int(m.run("awk '/Dirty/ {print $2}' /proc/meminfo"))
        assert dirty < 40000 and "still" in m.run("test -s /tmp/out || echo still")
        assert "status 137\n" in m.run("kill -9 $p; wait $p; echo status $?")
        server.go_on("write")
        m.run("sync")
    assert "status 0\n" in m.run("/tmp/mapped exit 20000 f; echo status $?") and is_written(host / "f", 20000)
    assert "Dirty: 0\n" in m.run("sync; awk '/Dirty/ {print $1, $2}' /proc/meminfo")


def test_what_cannot_become_its_maker_s_is_not_made(start):
    m, host, server = start()
    m.run("umask 0; chmod 777 /host; adduser -D -u 1000 guest 2>/dev/null || echo guest:x:1000:1000::/:/bin/sh >>/etc/passwd")
    for call, error, word in (("chown", errno.EIO, "I/O error"), ("chown", errno.ENOSPC, "No space")):
        server.fail(call, error)
        for command in ("mkdir x", "touch x", "ln -s a x"):
            assert word in m.run(f"su guest -c '{command}' 2>&1"), command
            assert not os.path.lexists(host / "x"), command
        server.answer(call)
    server.fail("chown", errno.EINVAL)  # a user that the server's system has no number for
    assert "0\n" in m.run("su guest -c 'mkdir x'; echo $?") and (host / "x").is_dir()
    server.answer("chown")
    assert "0\n" in m.run("su guest -c 'mkdir y'; echo $?") and (os.getuid() or (host / "y").stat().st_uid == 1000)


def test_a_directory_may_be_shown_within_itself_and_in_two_places(start):
    """As where the host has bind mounts: names of one directory in each other, and beside each other."""
    m, host, server = start()
    for name in ("d/e", "d/e/f", "twin", "twin/g"):
        (host / name).mkdir()
    server.lie(f"e ino {(host / 'd').stat().st_ino}")
    for command in ("ls d/e", "rmdir d/e", "mv twin/g d/e/e", "mv -T twin d/e", "rm -rf d/e", "mv d/e/e twin", "mv d/e twin", "mkdir d/e/x", "rmdir d/e/e"):
        m.run(f"cd /host; {command}")
    assert "rmdir: 'd/e': Symbolic link loop" in m.run("cd /host; mkdir -p d/e; rmdir d/e 2>&1")
    (host / "twin").mkdir(exist_ok=True)
    server.lie(f"twin ino {(host / 'd').stat().st_ino}")
    for command in ("ls d twin", "mkdir twin/h", "mv -T d/e twin", "mv -T twin/h d", "mv d/e twin/h", "cd d; mv ../twin x", "rmdir twin/h", "rm -r d"):
        m.run(f"cd /host; {command}")
    assert "alive\n" in m.run("cd /host; ls -lR >/dev/null; echo alive")


def test_sizes_and_counts_of_names_may_be_anything(start):
    m, host, server = start()
    for size in (-1, -(1 << 63), (1 << 63) - 1, (1 << 63) - 4096):
        (host / "f").write_text("text")
        server.lie(f"f size {size}")
        assert "text" in m.run("head -c 4 f; dd if=f bs=1 skip=9223372036854775806 count=4 2>&1 | wc -c")
        m.run("echo more >>f; timeout 5 tail -c 4 f | wc -c; ls -l f; truncate -s 0 f")
        server.lie()
    for nlink in (0, 0xffffffff, 0x80000000):
        (host / "f").write_text("text")
        server.lie(f"f nlink {nlink}", f"d nlink {nlink}")
        m.run("ls -l f; ln f g; mv f h; rm -f h g; mkdir d/x; rmdir d/x; mv d dd; rmdir dd; mkdir d")
        server.lie()
    assert "alive\n" in m.run("echo text >f; cat f; echo alive")
