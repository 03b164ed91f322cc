# SPDX-License-Identifier: MIT
"""`drupe run` on a terminal, and the signals that it gets."""
import os
import pathlib
import select
import signal
import subprocess

import machine
import pexpect
import pytest

from conftest import DRUPE, LIMIT


@pytest.fixture
def on_terminal():
    started = []

    def start(*arguments, **more):
        child = pexpect.spawn(str(DRUPE), ["run", *arguments], timeout=LIMIT, encoding="utf-8", **more)
        started.append(child)
        return child
    yield start
    for child in started:
        machine.end(child)


def ended(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_a_shell_with_job_control(on_terminal):
    child = on_terminal("sh", "-i")
    child.expect("# ")
    child.send("tty; sleep 1000\r")
    child.expect("/dev/pts/0\r\n")
    child.send("\x1a")
    child.expect("Stopped")
    child.send("fg\r")
    child.expect("sleep 1000\r\n")
    child.send("\x03")
    child.expect("# ")
    child.send("exit 5\r")
    assert ended(child) == 5


def test_the_terminals_size_and_its_changes(on_terminal):
    child = on_terminal("sh", "-c", "stty size; trap 'stty size; exit' WINCH; echo re\"\"ady; while :; do sleep 0.1; done", dimensions=(33, 101))
    child.expect("33 101\r\nready\r\n")
    child.setwinsize(12, 77)
    child.expect("12 77\r\n")
    assert ended(child) == 0


def test_the_terminal_is_as_it_was_afterwards():
    shell = pexpect.spawn("sh", timeout=LIMIT, encoding="utf-8", env=os.environ | {"PS1": "prompt> "})
    shell.expect("prompt> ")
    shell.sendline("stty -g")
    before = shell.readline() and shell.readline()
    shell.sendline(f"{DRUPE} run sh -c 'stty raw; exit 3'; echo status $?; stty -g")
    shell.expect("status 3\r\n")
    assert shell.readline() == before
    machine.end(shell)


def test_a_terminal_for_some_files_only(on_terminal, tmp_path):
    child = pexpect.spawn("bash", ["-c", f"{DRUPE} run sh -c 'test -t 0; echo $?; test -t 1; echo $?; test -t 2; echo $? >&2; cat' | cat >{tmp_path}/out"],
                          timeout=LIMIT, encoding="utf-8")
    child.expect("0\r\n")
    child.send("typed\r\x04")
    assert ended(child) == 0
    assert (tmp_path / "out").read_text() == "0\n1\ntyped\n"


def test_end_of_file_is_typed(on_terminal):
    child = on_terminal("wc", "-c")
    child.send("12345\r\x04")
    child.expect("6\r\n")
    assert ended(child) == 0


def test_twice_control_c_ends_the_machine(on_terminal):
    child = on_terminal("sh", "-c", "trap '' INT; echo re\"\"ady; while :; do sleep 1; done")
    child.expect("ready")
    child.send("\x03\x03")
    child.expect("ended by the second Ctrl-C")
    assert ended(child) == 128 + signal.SIGINT


def test_control_c_ends_a_machine_that_does_not_come_to_the_program(on_terminal):
    child = on_terminal("--verbose", "--append", "rdinit=/bin/cat", "true")
    child.expect("embedded archive")
    child.send("\x03")
    assert ended(child) == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_reaches_the_program(in_background, number):
    child = in_background(f"trap 'exit {number + 20}' {number}; echo ready; while :; do sleep 0.1; done")
    child.send_signal(number)
    assert child.wait(LIMIT) == number + 20


def test_a_signal_ends_the_program_and_its_children(in_background):
    child = in_background("echo ready; sleep 1000")
    child.send_signal(signal.SIGTERM)
    assert child.wait(LIMIT) == 128 + signal.SIGTERM


def test_the_same_signal_twice_ends_the_machine(in_background):
    child = in_background("trap '' TERM; echo ready; while :; do sleep 1; done")
    for _ in range(50):  # two of them within half a second, however slow this machine is
        child.send_signal(signal.SIGTERM)
        try:
            status = child.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            pass
    assert status == 128 + signal.SIGTERM and b"ended by the second signal 15" in child.stderr.read()


def child_of(pid):
    """The process whose parent that is."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                return int(stat.parent.name)
        except OSError:  # it ended meanwhile
            pass
    raise AssertionError(f"no child of {pid}")


def test_nothing_is_left_of_a_machine_whose_command_was_killed(in_background):
    child = in_background("echo ready; while :; do sleep 1; done")
    descriptor = os.pidfd_open(child_of(child.pid))
    child.kill()
    child.wait(LIMIT)
    assert select.select([descriptor], [], [], LIMIT)[0]
    os.close(descriptor)
