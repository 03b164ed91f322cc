# SPDX-License-Identifier: MIT
"""Fixtures of the tests of the `drupe` command."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from packing import Root  # noqa: E402


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path / "root")


@pytest.fixture
def musl(root):
    """A sysroot with musl's loader, which is its libc."""
    root.elf("lib/libc.so", soname="libc.so")
    root.link("lib/ld-musl-riscv64.so.1", "libc.so")
    return root


@pytest.fixture
def glibc(root):
    """A merged-/usr sysroot with glibc in Debian's multiarch place."""
    root.elf("usr/lib/riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1", soname="ld-linux-riscv64-lp64d.so.1")
    root.elf("usr/lib/riscv64-linux-gnu/libc.so.6", ["ld-linux-riscv64-lp64d.so.1"], soname="libc.so.6")
    root.link("usr/lib/ld-linux-riscv64-lp64d.so.1", "riscv64-linux-gnu/ld-linux-riscv64-lp64d.so.1")
    root.link("lib", "usr/lib")
    return root


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.cpio"
