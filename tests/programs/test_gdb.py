# SPDX-License-Identifier: MIT
"""Debian's gdb: breakpoints, threads, signals, attaching, core files of a program with threads; with 1 and 4 harts."""
import subprocess

import machine
import pytest

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int total;
static __attribute__((noinline)) int add(int a, int b) { total += b; return a + b; }
static void *work(void *x) { return (void *)(long)add((long)x, 1); }
static void *rests(void *x) { for (;;) pause(); return x; }
static void *crashes(void *x) { usleep(20000); *(volatile int *)x = 1; return x; }
int main(int argc, char **argv) {
    pthread_t t[3];
    const char *how = argc > 1 ? argv[1] : "";
    for (long i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, *how && i == 1 ? rests : !strcmp(how, "crash") && i == 2 ? crashes : work, (void *)(i % 2));
    if (!strcmp(how, "rest")) { puts("READY"); fflush(stdout); pause(); }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    raise(SIGUSR1);
    printf("total %d\n", total);
    return 0;
}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = machine.debian_programs("trixie-trace")
    folder = tmp_path_factory.mktemp("gdb")
    (folder / "threads.c").write_text(SOURCE, encoding="ascii")
    subprocess.run(["riscv64-linux-gnu-gcc", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread", "-o", folder / "threads", folder / "threads.c"],
                   check=True)
    programs = [f"{root}/usr/bin/{name}" for name in ("gdb", "gcore", "strace", "bash", "sleep")]
    subprocess.run([str(machine.BUILD / "drupe"), "pack", "--sysroot", str(root), "--sysroot", str(machine.BUILD / "sysroot"),
                    "--manifest", str(machine.BUILD / "root.manifest"), "-o", str(folder / "gdb.cpio"), "--also", "libthread_db.so.1",
                    f"/usr/share/gdb={root}/usr/share/gdb", f"/usr/lib/python3.13={root}/usr/lib/python3.13", f"/usr/bin/threads={folder}/threads",
                    f"{folder}/threads.c", *programs], check=True, cwd=machine.TOP, stderr=subprocess.DEVNULL,
                   env={"ROOT": str(machine.BUILD / "rootfs"), "ETC": "rootfs/etc", "PATH": "/usr/bin:/bin"})
    return folder / "gdb.cpio"


@pytest.fixture(scope="module", params=[1, 4])
def shell(archive, request):
    with machine.Machine(kernel=machine.BUILD / "bare/Image", initrd=archive, smp=request.param, memory="1G") as m:
        m.shell()
        m.run("export PYTHONHOME=/usr LC_ALL=C TERM=dumb; ulimit -c unlimited; cd /tmp")
        yield m


def gdb(shell, *commands, program="threads"):
    words = " ".join(f"-ex '{c}'" for c in commands)
    return shell.run(f"gdb -q -batch {words} {program} 2>&1")


def test_breakpoints_stop_each_thread(shell):
    text = gdb(shell, "break add", "run", "bt", "info threads", "set scheduler-locking on", "delete", "finish", "set scheduler-locking off", "continue", "continue")
    assert "hit Breakpoint 1, add (a=" in text and " in work (x=" in text
    assert "received signal SIGUSR1" in text and "Program terminated with signal SIGUSR1" in text


def test_the_end_of_a_program_is_seen(shell):
    text = gdb(shell, "handle SIGUSR1 nostop nopass", "run")
    assert "total 3" in text and "exited normally" in text


def test_a_variable_is_watched(shell):
    text = gdb(shell, "break main", "run", "set can-use-hw-watchpoints 0", "set scheduler-locking off", "tbreak add", "continue", "watch total", "continue")
    assert "Old value = " in text and "New value = " in text


def test_a_crash_is_found_among_threads(shell):
    text = gdb(shell, "run", "bt 2", "thread apply all bt 3", program="--args threads crash")
    assert "received signal SIGSEGV" in text and "in crashes (x=0x0)" in text and "Thread 1 (" in text and "Thread 3 (" in text


def test_a_running_program_is_attached(shell):
    text = shell.run("threads rest & p=$!; sleep 1; gdb -q -batch -p $p -ex 'info threads' -ex 'thread apply all bt 4' 2>&1; "
                     "gcore -o /tmp/mine $p 2>&1; kill -TERM $p; wait $p; echo status $?; "
                     "gdb -q -batch -ex 'info threads' -ex 'thread apply all bt 4' threads /tmp/mine.$p 2>&1")
    assert text.count("\n* 1 ") >= 2 and text.count("Thread 2 (") >= 2 and "status 143" in text and "Saved corefile" in text
