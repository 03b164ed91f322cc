# SPDX-License-Identifier: MIT
"""A thousand connections a second for a minute (tests/user/minute.c). The machine's time is that of its instructions, of which a second has a
thousand million: so what is claimed does not hang on how much else the host does."""
import machine


def test_a_thousand_connections_a_second_for_a_minute():
    status, console = machine.run(limit=3600, initrd=machine.BUILD / "tests/strength.cpio", memory="256M",
                                  extra=["-icount", "shift=0,sleep=off"], append="rdinit=/test-init loglevel=4 -- minute linux")
    lines = console.replace("\r", "").split("\n")
    assert status == 0 and "DONE" in lines, console[-3000:]
    assert "ok a_thousand_connections_a_second_for_a_minute" in lines, console[-3000:]
    print(*[line for line in lines if line.startswith("# the latest")])
