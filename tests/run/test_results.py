# SPDX-License-Identifier: MIT
"""What `drupe run` brings out of a machine: --out, --save."""
import json
import os
import pathlib
import pty
import signal
import stat
import subprocess
import tempfile
import time

import pytest

from conftest import DRUPE, LIMIT

TREE = """
mkdir -p /w/d/empty && cd /w/d
echo one >a; ln a b; ln -s a link; ln -s /etc/passwd outside; mkfifo pipe; mknod null c 1 3
chmod 4751 a; mkdir deep; echo two >deep/c; chmod 500 deep; touch -d @1000000000 deep/c deep
"""


def test_a_file_comes_out_under_its_own_name(run, tmp_path):
    done = run("--out", "/tmp/result", "sh", "-c", "echo x >/tmp/result; chmod 755 /tmp/result")
    assert done.status == 0 and not done.err
    assert (tmp_path / "result").read_text() == "x\n" and os.access(tmp_path / "result", os.X_OK)


def test_a_directory_comes_out_as_it_is(run, tmp_path):
    done = run("--out", "/w/d:got", "sh", "-c", TREE)
    got = tmp_path / "got"
    assert done.status == 0
    assert sorted(os.listdir(got)) == ["a", "b", "deep", "empty", "link", "outside", "pipe"]
    assert "null is a device" in done.err
    assert (got / "a").read_text() == "one\n" and (got / "a").stat().st_ino == (got / "b").stat().st_ino
    assert stat.S_IMODE((got / "a").stat().st_mode) == 0o751 & ~_umask()
    assert os.readlink(got / "outside") == "/etc/passwd" and stat.S_ISFIFO((got / "pipe").stat().st_mode)
    assert (got / "deep/c").stat().st_mtime == 1000000000 == (got / "deep").stat().st_mtime
    assert stat.S_IMODE((got / "deep").stat().st_mode) == 0o500
    assert (got / "a").stat().st_uid == os.getuid()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


SET = """
#include <sys/xattr.h>
int main(int argc, char **argv) {
    for (int i = 2; i + 1 < argc; i += 2)
        if (setxattr(argv[1], argv[i], argv[i + 1], __builtin_strlen(argv[i + 1]), 0))
            return 1;
    return 0;
}
"""
ATTRIBUTED = """
set -e; mkdir -p /w/d; cd /w; echo one >f; ln f g; echo two >d/plain; echo three >/alone; ln -s f link
./set f user.one 1 user.two 22 trusted.t t security.any s; ./set d user.d d trusted.t t; ./set . user.top t; ./set /alone user.a a
chmod 400 f; chmod 500 d
"""


@pytest.fixture
def setter(compiled):
    return compiled(SET, "-static", name="set")


def attributes(path):
    return {name: os.getxattr(path, name).decode() for name in os.listxattr(path, follow_symlinks=False)}


def test_attributes_of_users_come_out_and_no_others(run, setter, tmp_path):
    (tmp_path / "got").mkdir()
    os.setxattr(tmp_path / "got", "user.here", b"stays")
    done = run("--file", f"{setter}:/w/set", "--out", "/w:got", "--out", "/alone", "sh", "-c", ATTRIBUTED)
    assert done.status == 0 and not done.err, done.err
    got = tmp_path / "got"
    assert attributes(got) == {"user.here": "stays", "user.top": "t"} and attributes(got / "d") == {"user.d": "d"}
    assert attributes(got / "f") == attributes(got / "g") == {"user.one": "1", "user.two": "22"}
    assert attributes(got / "d/plain") == {} == attributes(got / "link") and attributes(tmp_path / "alone") == {"user.a": "a"}


REFUSE = """
#include <errno.h>
#include <sys/types.h>
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    errno = EOPNOTSUPP;
    return -1;
}
"""


def test_a_file_system_that_takes_no_attributes_is_told_of_once(run, compiled, setter, tmp_path):
    refuse = compiled(REFUSE, "-shared", "-fPIC", name="refuse.so", compiler="gcc")
    done = run("--file", f"{setter}:/w/set", "--out", "/w:got", "sh", "-c", ATTRIBUTED, env={**os.environ, "LD_PRELOAD": str(refuse)})
    assert done.status == 0 and done.err.splitlines() == [
        "drupe: note: got: 4 extended attributes are missing, the first of them user.d of got/d: Operation not supported"]
    assert (tmp_path / "got/f").read_text() == "one\n"


def test_attributes_are_kept_with_the_root(run, setter, tmp_path):
    """That of the root itself, too; and a file of this side has its own inside."""
    os.setxattr(setter, "user.mine", b"m")
    done = run("--file", setter, "--save", "saved.cpio", "sh", "-c", "echo x >/f; /set /f user.f 1 trusted.t t; /set / user.root r")
    assert done.status == 0, done.err
    listing = json.loads(subprocess.run([DRUPE, "ls", "--json", tmp_path / "saved.cpio"], stdout=subprocess.PIPE, check=True).stdout)
    assert {x["path"]: x["attributes"] for x in listing if "attributes" in x} == {
        ".": {"user.root": "72"}, "f": {"trusted.t": "74", "user.f": "31"}, "set": {"user.mine": "6d"}}
    again = run("--root", "saved.cpio", "--save", "again.cpio", "true")
    assert again.status == 0
    differs = subprocess.run([DRUPE, "diff", "saved.cpio", "again.cpio"], cwd=tmp_path, stdout=subprocess.PIPE, check=False).stdout
    assert all(line.startswith(b"! .: mtime") and b";" not in line for line in differs.splitlines()), differs  # pid 1 was there a while


def test_results_come_out_whatever_became_of_the_program(run, tmp_path):
    assert run("--out", "/r", "sh", "-c", "echo failed >/r; exit 3").status == 3
    assert (tmp_path / "r").read_text() == "failed\n"
    assert run("--out", "/r", "sh", "-c", "echo killed >/r; kill -SEGV $$").status == 139
    assert (tmp_path / "r").read_text() == "killed\n"


def test_results_come_out_after_the_time_limit(run, tmp_path):
    done = run("--timeout", "1", "--out", "/r", "sh", "-c", "trap '' TERM INT; echo late >/r; while :; do :; done & sleep 1000")
    assert done.status == 124 and "did not end within 1 s" in done.err
    assert (tmp_path / "r").read_text() == "late\n"


def test_nothing_changes_while_it_is_brought_out(run, tmp_path):
    """Whoever goes on writing is ended before."""
    script = "(while :; do echo x >>/w/grows; done) & mkdir /w; sleep 0.2; head -c 5000000 /dev/zero >/w/large"
    assert run("--smp", "2", "--out", "/w", "sh", "-c", script).status == 0
    assert (tmp_path / "w/large").stat().st_size == 5000000


def test_several_places(run, tmp_path):
    (tmp_path / "in").mkdir()
    done = run("--out", "/a:in/", "--out", "/b:in", "--out", "c:-", "--workdir", "/tmp", "sh", "-c", "echo a >/a; echo b >/b; echo c >c")
    assert done.status == 0 and done.out == b"c\n"
    assert (tmp_path / "in/a").read_text() == "a\n" and (tmp_path / "in/b").read_text() == "b\n"


def test_directories_are_joined_and_files_replaced(run, tmp_path):
    got, away = tmp_path / "got", tmp_path / "away"
    (got / "sub").mkdir(parents=True)
    away.mkdir()
    (got / "stays").write_text("stays")
    (got / "sub/f").write_text("old")
    (got / "elsewhere").symlink_to(away)
    (got / "file").symlink_to(away / "target")
    (got / "dir").mkdir()
    script = "mkdir -p /got/sub /got/elsewhere; cd /got; echo new >sub/f; echo new >elsewhere/f; echo new >file; echo new >dir"
    done = run("--out", "/got", "sh", "-c", script)
    assert done.status == 125 and "got/dir: Is a directory" in done.err  # and all others are there
    assert (got / "stays").read_text() == "stays" and (got / "sub/f").read_text() == "new\n"
    assert os.listdir(away) == [] and not (got / "elsewhere").is_symlink() and (got / "file").read_text() == "new\n"


def test_what_is_not_there_is_said(run, tmp_path):
    done = run("--out", "/nothing", "--out", "/r", "sh", "-c", "echo x >/r")
    assert done.status == 125 and "--out /nothing: No such file or directory in the machine" in done.err
    assert (tmp_path / "r").read_text() == "x\n"
    assert run("--out", "/nothing", "false").status == 1


def test_one_that_fails_costs_no_other_and_not_the_programs_status(run, tmp_path):
    done = run("--out", "/etc/passwd:/dev/full", "--out", "/r", "--save", "s.cpio", "--json", "report", "sh", "-c", "echo x >/r; exit 3")
    assert done.status == 3 and done.err.count("No space left") == 1
    assert (tmp_path / "r").read_text() == "x\n" and (tmp_path / "s.cpio").stat().st_size > 1000
    assert report(tmp_path / "report")["status"] == 3
    assert run("--out", "/etc/passwd:/dev/full", "true").status == 125
    assert run("--json", "/dev/full", "sh", "-c", "exit 3").status == 3


@pytest.mark.parametrize("options, word", [(("--save", "d"), "is a directory"), (("--json", "d"), "is a directory"), (("--save", ""), "which file"),
                                           (("--json", ""), "which file"), (("--json", "/dev/null/x"), "/dev/null/"), (("--save", "no/such"), "no/")])
def test_places_that_cannot_be_are_told_before_anything_runs(run, tmp_path, options, word):
    (tmp_path / "d").mkdir()
    done = run(*options, "echo", "ran")
    assert done.status == 125 and word in done.err and not done.out and len(done.err.splitlines()) <= 2


def test_a_file_is_made_beside_the_old_one():
    """So a writable file is not enough; root, who may write anywhere, is somebody else for that."""
    as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory() as place:
        old = pathlib.Path(place) / "old"
        old.write_text("old")
        old.chmod(0o666)
        os.chmod(place, 0o555)
        try:
            done = subprocess.run([DRUPE, "run", "--json", old, "echo", "ran"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False,
                                  cwd="/", **as_nobody)
        except PermissionError:
            pytest.skip("another user cannot reach the command")
        finally:
            os.chmod(place, 0o755)
        assert done.returncode == 125 and b"cannot be made in" in done.stderr and not done.stdout and old.read_text() == "old"


@pytest.mark.parametrize("options", [("--json", "-"), ("--out", "/etc/passwd:-"), ("--save", "-")])
def test_no_result_goes_to_a_terminal(options):
    master, slave = pty.openpty()
    done = subprocess.run([DRUPE, "run", *options, "true"], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    os.close(slave)
    os.close(master)
    assert done.returncode == 125 and done.stderr.startswith(b"drupe: %s" % options[0].encode()) and b"is a terminal" in done.stderr


def test_signals_end_what_waits_for_a_reader(tmp_path):
    """The program has ended, and its report finds nobody who reads it."""
    os.mkfifo(tmp_path / "fifo")
    child = subprocess.Popen([DRUPE, "run", "--json", tmp_path / "fifo", "echo", "done"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"done\n"
    children = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children")
    until = time.monotonic() + LIMIT
    while children.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    while child.poll() is None and time.monotonic() < until:  # one that comes with the machine's end is still for that
        child.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    child.kill()
    child.stdout.close()
    assert child.wait(LIMIT) == -signal.SIGTERM


def test_a_device_takes_no_files_place(run, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w/null").write_text("stays")
    done = run("--out", "/w", "sh", "-c", "mkdir /w; mknod /w/null c 1 3")
    assert done.status == 0 and "left out" in done.err and (tmp_path / "w/null").read_text() == "stays"


def test_files_that_give_no_size(run, tmp_path):
    done = run("--out", "/proc/cpuinfo", "--out", "/proc/self/none", "--out", "/w", "sh", "-c", "mkdir /w; : >/w/empty")
    assert "processor" in (tmp_path / "cpuinfo").read_text() and (tmp_path / "w/empty").read_bytes() == b""
    assert done.status == 125 and len(done.err.splitlines()) == 1


def test_here_is_where_results_are(run, tmp_path):
    (tmp_path / "got").mkdir()
    done = run("--here", "--out", "f:got/", "sh", "-c", "echo x >f")
    assert done.status == 0 and (tmp_path / "got/f").read_text() == "x\n", done.err


@pytest.mark.parametrize("argument, word", [("/", "--save"), ("/a:", "colon"), ("/a:no/such/x", "no/such/"), ("", "GUEST")])
def test_mistakes_are_told_before_anything_runs(run, argument, word):
    done = run("--out", argument, "echo", "ran")
    assert done.status == 125 and word in done.err and not done.out and len(done.err.splitlines()) <= 2


def test_a_user_of_no_rights_cannot_have_others_files_taken_for_its_own(run, tmp_path):
    """A link of the user's to what it may not read is followed only as far as the machine, whose files are all the caller's."""
    done = run("--user", "1000", "--out", "/tmp/d", "sh", "-c", "mkdir /tmp/d && cd /tmp/d && ln -s / root && ln -s ../../../.. up && echo x >x")
    assert done.status == 0
    assert os.readlink(tmp_path / "d/root") == "/" and os.readlink(tmp_path / "d/up") == "../../../.."


def test_large_results(run, tmp_path):
    done = run("--out", "/w", "sh", "-c", "mkdir /w; cd /w; head -c 12000000 /dev/urandom >large; sha256sum large >sum")
    assert done.status == 0
    assert subprocess.run(["sha256sum", "-c", "sum"], cwd=tmp_path / "w", stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_holes_without_end_are_refused(run, tmp_path):
    done = run("--out", "/w", "sh", "-c", "mkdir /w; cd /w; truncate -s 600M x")
    assert done.status == 125 and "--mem" in done.err


@pytest.mark.parametrize("name", ["root.cpio", "root.cpio.zst"])
def test_the_root_is_kept_as_an_archive(run, tmp_path, name):
    done = run("--save", name, "sh", "-c", "echo kept >/root/f; ln /root/f /root/g; mkdir /proc/x; chmod 700 /root; mknod /dev/vport c 9 9")
    assert done.status == 0
    listing = subprocess.run([DRUPE, "ls", "-l", tmp_path / name], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "root/f" in listing and "dev/console" in listing
    assert ".drupe" not in listing and "dev/null" not in listing and "proc/1" not in listing


def test_the_root_is_kept_as_an_image_that_boots(run, tmp_path):
    assert run("--save", "appliance", "sh", "-c", "echo kept >/root/f; ln /root/f /root/g").status == 0
    command = ["qemu-system-riscv64", "-machine", "virt", "-m", "256M", "-nographic", "-no-reboot", "-kernel", tmp_path / "appliance",
               "-append", "rdinit=/bin/sh quiet -- -c \"cat /root/f; stat -c %h-links /root/g; poweroff -f\""]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=LIMIT, check=False)
    assert b"kept" in done.stdout and b"2-links" in done.stdout, done.stdout.decode()


def report(path):
    return json.loads(path.read_text())


def test_a_report_tells_what_became_of_the_run(run, compiled, tmp_path):
    program = compiled(ASKS_FOR_MISSING)
    assert run("--json", "report", program).status == 0
    told = report(tmp_path / "report")
    assert told["status"] == 0 and told["signal"] is None and not told["timed_out"] and not told["panicked"]
    assert told["missing_calls"] == ["io_uring_setup", "4000"] and 6000000 < told["peak_memory"] < 20000000
    assert told["memory"] == 256 << 20 and 0 < told["user_seconds"] + told["system_seconds"] < told["seconds"]


def test_an_error_after_something_missing_is_explained_by_one_line(run, compiled):
    program = compiled(USES_MISSING)
    told = run(program, "1")
    assert told.status == 1 and told.err.splitlines()[-1] == f"drupe: note: {program} used io_uring_setup, socket(AF_VSOCK): not in this kernel"
    assert "not in this kernel" not in run("-q", program, "1").err
    assert "not in this kernel" not in run(program, "0").err


USES_MISSING = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    syscall(425, 0, 0);
    socket(40, SOCK_STREAM, 0);
    socket(10000, SOCK_STREAM, 0);
    return argc > 1 ? atoi(argv[1]) : 0;
}
"""

ASKS_FOR_MISSING = """
#define _GNU_SOURCE
#include <unistd.h>
int main(void) {
    static volatile char pages[6000000];
    for (int i = 0; i < sizeof(pages); i += 4096)
        pages[i] = 1;
    syscall(425, 0, 0);
    syscall(4000);
    return 0;
}
"""


def test_a_report_tells_of_signals_and_time_limits(run, tmp_path):
    assert run("--json", "report", "sh", "-c", "kill -SEGV $$").status == 139
    assert report(tmp_path / "report")["signal"] == "SIGSEGV"
    assert run("--json", "report", "--timeout", "0.5", "sleep", "100").status == 124
    assert report(tmp_path / "report")["timed_out"]
    done = run("--quiet", "--json", "-", "--out", "/dev/kmsg:log", "sh", "-c", "exit 7")
    assert json.loads(done.text)["status"] == 7 and "Drupe" in (tmp_path / "log").read_text()


def test_a_program_that_says_panic_is_none(run, tmp_path):
    assert run("--json", "report", "sh", "-c", "echo '[ 1.0] Kernel panic' >/dev/console; echo '[ 1.1] more' >/dev/console").status == 0
    assert report(tmp_path / "report")["panicked"] is False


def test_an_old_report_is_not_taken_for_a_new_one(run, tmp_path):
    (tmp_path / "report").write_text("old")
    assert run("--json", "report", "--qemu", "/no/qemu", "true").status == 123 and not (tmp_path / "report").exists()
    (tmp_path / "report").write_text("old")
    assert run("--json", "report", "--file", "report:/old", "cat", "/old").text == "old"  # until then it stays
    assert report(tmp_path / "report")["status"] == 0


HOSTILE = """#!/usr/bin/python3
import gzip, os, re, struct, sys
words = " ".join(sys.argv)
control, output = (int(re.search(f"id={name},fd=([0-9]+)", words)[1]) for name in ("control", "result"))
entry = lambda name, mode, data: (b"070701" + b"".join(b"%08x" % n for n in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)) + name +
                                  bytes(1 + (-len(name) - 111) % 4) + data + bytes(-len(data) % 4))
packed = gzip.compress(entry(b"file", 0o100644, bytes(100 << 20)) + entry(b"TRAILER!!!", 0, b""))
size = len(packed)
send = lambda kind, content: os.write(control, struct.pack("II", kind, len(content)) + content)
send(1, b"")
send(4, bytes(88))
while packed:
    packed = packed[os.write(output, packed):]
send(5, struct.pack("QiIII", size, 0, 0, 0, 0))
while os.read(control, 1000):
    pass
"""


def test_a_machine_cannot_have_results_decompressed(run, tmp_path):
    """What comes is bounded by what was sent: pid 1 compresses nothing. This is no machine, but something that says so."""
    qemu = tmp_path / "qemu"
    qemu.write_text(HOSTILE)
    qemu.chmod(0o755)
    done = run("--qemu", qemu, "--out", "/r", "true")
    assert done.status == 125 and "gzip" in done.err and not (tmp_path / "r").exists()


def test_a_result_goes_into_what_is_no_file(run, tmp_path):
    """Only a file is replaced by another; a link, which /dev/stdout is one of, stays, and an open file is written where it stands."""
    (tmp_path / "target").write_text("longer than the result is\n" * 100)
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "nowhere").symlink_to("new")
    (tmp_path / "out").symlink_to("/dev/stdout")
    assert run("--out", "/r:link", "--out", "/r:nowhere", "--json", "out", "sh", "-c", "echo x >/r").status == 0
    assert [os.path.islink(tmp_path / name) for name in ("link", "nowhere", "out")] == [True] * 3
    assert (tmp_path / "target").read_text() == (tmp_path / "new").read_text() == "x\n"
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        subprocess.run(["sh", "-c", f"echo before; {DRUPE} run --json {name} echo program; echo behind"], cwd=tmp_path, stdout=(tmp_path / "all").open("w"),
                       check=True)
        text = (tmp_path / "all").read_text().splitlines()
        assert (text[0], text[1], text[3]) == ("before", "program", "behind") and json.loads(text[2])["status"] == 0
    assert os.path.islink("/dev/stdout")
    done = run("--json", "/dev/fd/7", "echo", "program")
    assert done.status == 125 and "descriptor 7 is not open" in done.err and not done.text


def test_a_result_from_a_volume_may_be_larger_than_memory(run, tmp_path):
    (tmp_path / "v").mkdir()
    with (tmp_path / "v/large").open("wb") as f:
        f.truncate(100 << 20)
        f.write(b"start")
    assert run("--mem", "48M", "-v", "v:/v", "--out", "/v/large:copy", "true").status == 0
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "v/large").read_bytes()


def test_results_take_no_more_than_half_of_the_hosts_memory(tmp_path):
    """Whatever a machine sends: here, of a system that says that it has 16 MiB left."""
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no mount namespaces here")
    (tmp_path / "meminfo").write_text("MemTotal: 1048576 kB\nMemAvailable:   16384 kB\n")
    command = f"mount --bind meminfo /proc/meminfo && exec {DRUPE} run --out /r:r sh -c"
    for mib, status in ((7, 0), (9, 125)):
        done = subprocess.run(["unshare", "-rm", "sh", "-c", f"{command} 'dd if=/dev/zero of=/r bs=1M count={mib} 2>/dev/null'"], cwd=tmp_path, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
        assert done.returncode == status, done.stderr
    assert b"more than 8 MiB, half of the memory" in done.stderr and (tmp_path / "r").stat().st_size == 7 << 20


def test_names_with_a_colon_come_out(run, tmp_path):
    done = run("--out", "/a:b:./c:d", "--out", "/a:e:f", "sh", "-c", "echo 1 >/a:b; echo 2 >/a")
    assert done.status == 0 and (tmp_path / "c:d").read_text() == "1\n" and (tmp_path / "e:f").read_text() == "2\n"
