# SPDX-License-Identifier: MIT
"""Debian's own riscv64 programs at work with this side: a compiler in its directory, a server behind its port."""
import re
import socket
import subprocess
import time

import machine
import pytest

from conftest import DRUPE, LIMIT

MAKEFILE = """objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
\tgcc -o $@ $^
%.o: %.c part.h
\tgcc -O1 -c -o $@ $<
"""


@pytest.fixture(scope="module")
def root():
    return machine.debian_programs("trixie-build")


def test_a_c_project_is_made_in_it(run, root, tmp_path):
    for i in range(8):
        (tmp_path / f"part{i}.c").write_text(f'#include "part.h"\nint part{i}(int x) {{ return x + {i}; }}\n')
    (tmp_path / "part.h").write_text("\n".join(f"int part{i}(int);" for i in range(8)))
    (tmp_path / "main.c").write_text('#include <stdio.h>\n#include "part.h"\nint main(void) { printf("%d\\n", part7(part5(30))); return 0; }\n')
    (tmp_path / "Makefile").write_text(MAKEFILE)
    options = ("--root", root, "--here", "-m", "512M")
    done = run(*options, "make", "-j2")
    assert (done.status, done.text.count("gcc -O1 -c"), done.err) == (0, 9, "")
    (tmp_path / "part3.c").write_text('#include "part.h"\nint part3(int x) { return x; }\n')
    done = run(*options, "sh", "-c", "./program; make; ./program; make")
    assert (done.status, done.err) == (0, "")
    assert done.text.split("\n") == ["42", "gcc -O1 -c -o part3.o part3.c", "gcc -o program " + " ".join(sorted(
        ["main.o", *(f"part{i}.o" for i in range(8))])), "42", "make: 'program' is up to date.", ""]


def test_a_server_is_published(root):
    server = subprocess.Popen([DRUPE, "run", "--root", root, "-m", "512M", "-p", "127.0.0.1:0:6379", "--", "redis-server", "--bind", "0.0.0.0",
                               "--protected-mode", "no", "--save", ""], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        port = int(re.search(r"is 127\.0\.0\.1:(\d+) here", server.stderr.readline().decode()).group(1))
        while b"Ready to accept" not in (line := server.stdout.readline()):
            assert line, server.stderr.read()
        with socket.create_connection(("127.0.0.1", port), LIMIT) as c, c.makefile("rb") as answers:
            c.sendall(b"".join(b"SET key:%d value:%d\r\n" % (i, i) for i in range(1000)) + b"GET key:77\r\n")
            wanted = b"+OK\r\n" * 1000 + b"$8\r\nvalue:77\r\n"
            assert answers.read(len(wanted)) == wanted
            c.sendall(b"SHUTDOWN NOSAVE\r\n")
        assert server.wait(LIMIT) == 0
    finally:
        server.kill()
        server.communicate()


def test_the_clock_is_this_side_s(run, compiled):
    """QEMU's real-time clock has the whole seconds of its start: up to one behind the files that were just written here."""
    program = compiled("""
        #include <stdio.h>
        #include <time.h>
        int main(void) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            printf("%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
        }""")
    for _ in range(3):
        before = time.time()
        told = float(run(program).text)
        assert before < told < time.time()
