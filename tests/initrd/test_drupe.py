# SPDX-License-Identifier: MIT
"""The table on our kernel in QEMU, one boot a case: the tree that a program sees, and the kernel's log."""
import re

import boots
import machine
import pytest
import table

KERNEL = machine.BUILD / "bare/Image"
REPORT = re.compile(r"initrd: external archive: (?!\d+ (?:archives|entries), )(.*)")


@pytest.mark.parametrize("case", table.ALL, ids=lambda case: case.name)
def test_drupe(case, tmp_path):
    tree, log = boots.boot(case, tmp_path, KERNEL, "256M")
    reports = [found[1] for found in map(REPORT.search, log) if found]
    assert table.seen(tree, case.tree) == case.tree, reports
    wanted = [boots.shifted(part) for _, part in case.says]
    assert len(reports) == len(wanted) and all(map(str.__contains__, reports, wanted)), reports
