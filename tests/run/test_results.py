# SPDX-License-Identifier: MIT
"""What `drupe run` brings out of a machine: --out, --save."""
import json
import os
import stat
import subprocess

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
