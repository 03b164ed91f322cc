# SPDX-License-Identifier: MIT
"""Fixtures of the boot tests."""
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402


@pytest.fixture
def boot():
    """boot(**options) starts a machine that is stopped when the test ends."""
    started = []

    def start(**options):
        started.append(machine.Machine(**options))
        return started[-1]

    yield start
    for m in started:
        m.close()


@pytest.fixture(scope="module")
def shell_machine():
    """One machine at its shell, shared by the tests of a module that leave it as they found it."""
    with machine.Machine(smp=4) as m:
        m.boot_log = m.shell()
        yield m


@pytest.fixture
def sh(shell_machine):
    return shell_machine.run


@pytest.fixture(scope="session")
def musl_gcc():
    gcc = machine.BUILD / "sysroot" / "bin" / "musl-gcc"

    def compile_to(out, source, *flags):
        src = pathlib.Path(str(out) + ".c")
        src.write_text(source, encoding="ascii")
        subprocess.run([str(gcc), "-O1", "-o", str(out), str(src), *flags], check=True)
        return out

    return compile_to


@pytest.fixture(scope="session")
def cpio():
    """cpio(directory, out): an archive of the directory made by GNU cpio."""
    def make(directory, out):
        names = subprocess.run(["find", ".", "-mindepth", "1"], cwd=directory, check=True, stdout=subprocess.PIPE).stdout
        with open(out, "wb") as f:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=directory, input=names, stdout=f, check=True)
        return out

    return make
