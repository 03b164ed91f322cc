# SPDX-License-Identifier: MIT
"""`make profile` tells where a machine's instructions go."""
import re
import subprocess

from conftest import LIMIT

import machine


def test_a_profile():
    done = subprocess.run([machine.TOP / "tools/profile", machine.BUILD, "sh", "-c", "dd if=/bin/busybox of=/dev/null bs=4k 2>/dev/null; exit 3"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=LIMIT, check=True, text=True)
    counts = {name: int(number.replace(",", "")) for name, number in re.findall(r"^(T[\w ]+?)  +([\d,]+)$", done.stdout, re.M)}
    rows = {name: int(number.replace(",", "")) for number, name in re.findall(r"^ *([\d,]+) +[\d.]+ +[\d,]+ +[\d,]+  (\S+)$", done.stdout, re.M)}
    assert counts["TB count"] > 1000 and "TLB elided flushes" in counts
    assert rows["(all)"] > 1000000 and rows["(programs)"] > 10000 and rows["user_copy_raw"] > 50000 > rows.get("firmware_start", 0)
