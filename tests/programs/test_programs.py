# SPDX-License-Identifier: MIT
"""Each of examples/ does what its check claims, on one hart and on four, and leaves nothing behind."""
import example
import pytest
import suites

APART = ("cpython", "drupe", *suites.SUITES)  # which have tests of their own: cpython.py, test_itself.py, suites.py


@pytest.mark.parametrize("harts", [1, 4])
@pytest.mark.parametrize("name", [name for name in example.NAMES if name not in APART])
def test_program(name, harts):
    try:
        console = example.boot(name, harts)
    except example.Missing as e:
        pytest.skip(f"Debian's riscv64 packages cannot be had here: {e}")
    holds, fails = example.claims(console)
    assert not fails, "\n".join(fails)
    assert "\nSTATUS 0\n" in console and "leaves_nothing_behind" in holds
