# SPDX-License-Identifier: MIT
"""A server of Debian's in a machine of `drupe run`, published to this one."""
import re
import socket
import subprocess

import example
import machine
import pytest

COUNT = 10000


def test_redis_is_published():
    try:
        root = example.make("examples/redis.cpio")
    except example.Missing as e:
        pytest.skip(f"Debian's riscv64 packages cannot be had here: {e}")
    server = subprocess.Popen([machine.BUILD / "drupe", "run", "--root", root, "-m", "768M", "-p", "127.0.0.1:0:6379", "--", "redis-server",
                               "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", "/tmp"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        port = int(re.search(r"is 127\.0\.0\.1:(\d+) here", server.stderr.readline().decode()).group(1))
        while b"Ready to accept" not in (line := server.stdout.readline()):
            assert line, server.stderr.read()
        with socket.create_connection(("127.0.0.1", port), machine.LIMIT) as c, c.makefile("rb") as answers:
            for i in range(COUNT):
                c.sendall(b"SET key:%d value:%d\r\n" % (i, i))
            assert all(answers.readline() == b"+OK\r\n" for _ in range(COUNT))
            c.sendall(b"DBSIZE\r\nGET key:77\r\n")
            assert answers.readline() == b":%d\r\n" % COUNT
            assert answers.readline() + answers.readline() == b"$8\r\nvalue:77\r\n"
            c.sendall(b"SHUTDOWN NOSAVE\r\n")
        assert server.wait(machine.LIMIT) == 0
    finally:
        server.kill()
        server.communicate()
