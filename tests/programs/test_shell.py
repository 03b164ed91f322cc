# SPDX-License-Identifier: MIT
"""make example-NAME, as a newcomer types it: a shell in which the program can be used, and which ends the machine."""
import example
import machine
import pexpect
import pytest


def test_an_example_boots_to_a_shell_with_its_program():
    try:
        example.make("examples/redis.cpio")
    except example.Missing as e:
        pytest.skip(f"Debian's riscv64 packages cannot be had here: {e}")
    shell = pexpect.spawn("make", ["-C", str(machine.TOP), f"B={machine.BUILD}", "example-redis"], timeout=machine.LIMIT * 5, encoding="utf-8",
                          codec_errors="replace", dimensions=(24, 100))
    try:
        shell.expect("This is redis of Debian 13")
        shell.expect(r"root@drupe:~# ")
        shell.send("redis-server --daemonize yes >/tmp/log; until redis-cli ping; do sleep 0.1; done\r")
        shell.expect("PONG\r")
        shell.send("stty size; exit\r")
        shell.expect("24 100\r")
        shell.expect("STATUS 0\r")
        shell.expect(pexpect.EOF)
        shell.wait()
    finally:
        machine.end(shell)
    assert shell.exitstatus == 0
