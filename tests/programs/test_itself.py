# SPDX-License-Identifier: MIT
"""Drupe builds a part of Drupe: inside, with Debian 13's own gcc, make and git, from a clone of this repository (examples/drupe), lib/ is built
with its sanitizers and passes its unit tests."""
import os
import re
import shutil
import subprocess

import example
import machine
import pytest

LIMIT = 2 * 3600  # of an emulated compiler


@pytest.fixture
def given(tmp_path):
    """A folder with the repository as a bundle, and the outside parts' source packages."""
    if subprocess.run(["git", "-C", machine.TOP, "bundle", "create", tmp_path / "drupe.bundle", "HEAD"], check=False).returncode:
        pytest.skip("this is no clone with git")
    (tmp_path / "source").mkdir()
    for name in re.findall(r"^([a-z0-9-]+) ", (machine.TOP / "deps/pins").read_text(encoding="ascii"), re.M):
        pinned = subprocess.run([machine.TOP / "deps/fetch.sh", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        files = [pinned]
        if pinned.endswith(".dsc"):
            text = open(pinned, encoding="utf-8").read()
            files += {f"{os.path.dirname(pinned)}/{file}" for file in re.findall(r"^ [0-9a-f]{64} \d+ (\S+)$", text, re.M)}
        for file in files:
            shutil.copy(file, tmp_path / "source")
    return tmp_path


def test_lib_passes_its_unit_tests_inside(given):
    try:
        root = example.make("examples/drupe.cpio")
    except example.Missing as e:
        pytest.skip(f"Debian's riscv64 packages cannot be had here: {e}")
    done = subprocess.run([machine.BUILD / "drupe", "run", "--root", root, "-m", "3G", "-S", "4", "-f", f"{given}:/given", "--", "/example/check",
                           "/given/drupe.bundle", "/given/source"],
                          check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
    holds, fails = example.claims(done.stdout)
    assert "lib_passes_its_unit_tests" in holds and not fails, done.stdout
    assert int(re.search(r"^# (\d+) 0 0$", done.stdout, re.M)[1]) > 100
