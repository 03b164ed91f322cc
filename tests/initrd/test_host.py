# SPDX-License-Identifier: MIT
"""The table, unpacked on the host by the kernel's lib/ into a model file system (tests/unit/unpack-to-text.c)."""
import subprocess

import machine
import pytest
import table

UNPACK = machine.BUILD / "host/unit/unpack-to-text"


@pytest.mark.parametrize("case", table.ALL, ids=lambda case: case.name)
def test_host(case, tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(case.data)
    done = subprocess.run([UNPACK, "--groups", archive], capture_output=True, check=False)
    reports = [tuple(line.split(": ", 1)) for line in done.stderr.decode().split("\n")[:-1]]
    assert table.seen(done.stdout.decode().split("\n")[:-1], case.tree) == case.tree, reports
    assert table.says_what_it_should(reports, case.says), reports
    assert done.returncode == case.breaks_off
