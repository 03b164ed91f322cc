# SPDX-License-Identifier: MIT
"""The table, unpacked on the host by the kernel's lib/ into a model file system (tests/unit/unpack-to-text.c)."""
import re
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


def test_what_is_there_already_is_the_documents_table():
    """docs/initrd.md has the table of lib/unpack.c: what comes x what is there -> what happens."""
    code = (machine.TOP / "lib/unpack.c").read_text(encoding="utf-8")
    table = re.search(r"actions\[\]\[4\] = \{\n(.*?)\n\};", code, re.S)[1]
    rows = [[word.lower() for word in re.findall(r"[A-Z]+", row)] for row in re.findall(r"= \{(.*)\}", table)]
    document = (machine.TOP / "docs/initrd.md").read_text(encoding="utf-8")
    told = re.search(r"^  \|---\|---\|---\|---\|---\|\n((?:  \|.*\n)*)", document, re.M)[1]
    assert [[cell.strip() for cell in line.split("|")[2:6]] for line in told.splitlines()] == rows
    assert len(rows) == 6
