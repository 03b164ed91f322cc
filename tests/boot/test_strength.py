# SPDX-License-Identifier: MIT
"""Many sockets at once in a small machine (tests/user/crowd.c)."""
import machine


def test_ten_thousand_connections_in_256_MiB():
    status, console = machine.run(limit=600, initrd=machine.BUILD / "tests/strength.cpio", memory="256M",
                                  extra=["-icount", "shift=0,sleep=off"], append="rdinit=/test-init loglevel=4 -- crowd linux")
    lines = console.replace("\r", "").split("\n")
    assert status == 0 and "DONE" in lines, console[-3000:]
    assert sum(line.startswith("ok ten_thousand_") for line in lines) == 2 and "not ok" not in console, console[-3000:]
