# SPDX-License-Identifier: MIT
"""Fixtures of the tests of `drupe run`: programs made here, and the command itself."""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import machine  # noqa: E402

LIMIT = int(os.environ.get("DRUPE_TEST_LIMIT", "120"))
DRUPE = machine.BUILD / "drupe"
CROSS = os.environ.get("CROSS", "riscv64-linux-gnu-")
CROSS_ROOT = pathlib.Path("/usr/riscv64-linux-gnu")  # the cross compiler's own glibc, if it is there


class Run:
    """What came of a `drupe run`."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode()


@pytest.fixture
def run(tmp_path):
    def start(*arguments, stdin=b"", **more):
        return Run(subprocess.run([DRUPE, "run", *map(str, arguments)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=LIMIT, check=False, cwd=more.pop("cwd", tmp_path), **more))
    return start


@pytest.fixture
def compiled(tmp_path):
    """Makes a program of C source; for musl unless told otherwise."""
    def make(source, *flags, name="program", compiler=machine.BUILD / "sysroot/bin/musl-gcc"):
        path = tmp_path / name
        subprocess.run([compiler, "-O1", "-x", "c", "-", "-o", path, "-x", "none", *flags], input=source.encode(), check=True)
        return path
    return make


@pytest.fixture
def in_background():
    """Starts a script of the shell by `drupe run`, and comes back when it has said that it is ready."""
    started = []

    def start(script):
        child = subprocess.Popen([DRUPE, "run", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(child)
        assert child.stdout.readline() == b"ready\n"
        return child
    yield start
    for child in started:
        child.kill()
        child.communicate()
