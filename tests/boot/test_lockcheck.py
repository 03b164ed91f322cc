# SPDX-License-Identifier: MIT
"""A debug kernel that does a wrong thing with locks ends, and says why."""
import machine
import pytest

ENDS = {
    "circle": "taken in two orders",
    "no-rank": "two of one class are taken in the wrong order, or in none",
    "child-first": "two of one class are taken in the wrong order, or in none",
    "higher-address-first": "two of one class are taken against the order of their addresses",
    "interrupts-enabled": "taken by interrupt handlers and with interrupts enabled",
    "interrupts-enabled-before": "taken by interrupt handlers and with interrupts enabled",
    "interrupts-enabled-for-queue": "taken by interrupt handlers and with interrupts enabled",
    "interrupts-enabled-inside": "taken by interrupt handlers and with interrupts enabled",
    "waits-for-threads": "waited for with a lock of interrupt handlers held, and taken with interrupts enabled",
    "twice": "already held",
    "mutex-twice": "already held",
    "sleeps": "gives up the hart",
    "mutex-in-spinlock": "a mutex is waited for",
    "released": "released and not held",
    "mutex-released": "released and not held",
    "not-held": "not held: &outer",
    "returns-with-mutex": "returns to its program",
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_debug_kernel_finds(kind):
    _, text = machine.run(kernel=machine.BUILD / "debug/Image", memory="128M",
                          append=f"loglevel=4 lockcheck={kind} rdinit=/none")
    assert f"Kernel panic: locks: {ENDS[kind]}\r\n" in text
    assert "nothing was found" not in text
