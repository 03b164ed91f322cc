# SPDX-License-Identifier: MIT
"""Standard input is taken when the program reads it, not before; one signal is one."""
import hashlib
import random
import signal
import subprocess
import time

import pytest

from conftest import DRUPE, LIMIT


def shell(script, **more):
    return subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, timeout=LIMIT, check=False, **more)


def test_a_program_that_reads_nothing_leaves_a_loops_list_alone():
    done = shell(f"printf '1\\n2\\n3\\n' | while read -r l; do {DRUPE} run true; echo $l; done")
    assert done.stdout == b"1\n2\n3\n"


@pytest.mark.parametrize("reads", ["cat", "read x; echo $x; cat", "sleep 0.2; cat", "sh -c 'sh -c cat'", "cat <&0 & wait"])
def test_a_program_that_reads_gets_all(reads):
    done = subprocess.run([DRUPE, "run", "sh", "-c", reads], input=b"1\n2\n3\n", stdout=subprocess.PIPE, timeout=LIMIT, check=True)
    assert done.stdout in (b"1\n2\n3\n", b"")  # a shell's background job reads /dev/null
    assert done.stdout or "&" in reads


def test_a_program_that_polls_gets_its_input(run, compiled):
    program = compiled("""#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct pollfd f = {0, POLLIN, 0};
    struct epoll_event e = {.events = EPOLLIN};
    int ep = epoll_create1(0), ready;
    char c;
    if (argc > 1)
        epoll_ctl(ep, EPOLL_CTL_ADD, 0, &e);
    ready = argc > 1 ? epoll_wait(ep, &e, 1, 60000) : poll(&f, 1, 60000);
    return ready == 1 && read(0, &c, 1) == 1 ? c : 1;
}""")
    assert run(program, stdin=b"A").status == 65
    assert run(program, "epoll", stdin=b"B").status == 66


def test_no_stdin_leaves_it_alone(tmp_path):
    (tmp_path / "data").write_text("1\n2\n")
    done = shell(f"{{ {DRUPE} run --no-stdin wc -c; cat; }} <data", cwd=tmp_path)
    assert done.stdout == b"0\n1\n2\n"


def test_a_signal_that_comes_twice_at_once_is_one(in_background):
    """As timeout(1) sends it: to the command, and to the group that it is in."""
    child = in_background("trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGTERM)
    assert child.wait(LIMIT) == 7 and child.stdout.read() == b"caught\n" and b"drupe" not in child.stderr.read()


def test_timeout_ends_a_program_as_it_would_here():
    done = shell(f"timeout 3 {DRUPE} run sh -c 'trap \"echo caught; exit 7\" TERM; while :; do sleep 0.1; done'; echo $?", stderr=subprocess.PIPE)
    assert done.stdout in (b"caught\n124\n", b"124\n") and b"drupe" not in done.stderr  # not yet up within 3 s: the machine is ended


def test_megabytes_go_both_ways_as_they_are(run):
    data = random.Random(7).randbytes(1 << 20) * 50
    into = run("md5sum", stdin=data)
    assert into.status == 0 and into.text.split()[0] == hashlib.md5(data).hexdigest()
    assert run("cat", stdin=data).out == data


def test_many_arguments(run):
    words = [f"argument{i}" for i in range(20000)]
    assert run("sh", "-c", 'echo $# "${20000}"', "sh", *words).text == "20000 argument19999\n"
    assert run("sh", "-c", "echo ${#1}", "sh", "x" * 131000).text == "131000\n"


def test_output_is_its_own_whatever_the_console_says(run):
    done = run("sh", "-c", "echo on the console >/dev/console; echo '<1>in the log' >/dev/kmsg; printf '\\0\\1\\200\\377'")
    assert done.out == b"\0\1\200\377" and "on the console" in done.err and "in the log" in done.err


def test_signals_arrive_while_nobody_reads_the_output(in_background):
    child = in_background("trap 'exit 5' TERM; echo ready; yes & wait $!")
    time.sleep(1)  # until every buffer on the way is full, or nearly so: it holds anyway
    child.send_signal(signal.SIGTERM)
    child.stdout.read()
    assert child.wait() == 5
