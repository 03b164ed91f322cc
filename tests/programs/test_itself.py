# SPDX-License-Identifier: MIT
"""Drupe builds Drupe: inside, with Debian 13's own gcc, make and git, from a clone of this repository (examples/drupe), lib/ is built with its
sanitizers and passes its unit tests, the command packs a root, and the kernel is built around it. The image boots, and is, byte for byte, what a
bare Debian 13 on this side makes of the same commit and the same archive with its cross compiler."""
import os
import re
import shutil
import subprocess

import example
import machine
import pytest

LIMIT = 6 * 3600  # of an emulated compiler


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with the repository as a bundle, and the outside parts' source packages."""
    folder = tmp_path_factory.mktemp("given")
    if subprocess.run(["git", "-C", machine.TOP, "bundle", "create", folder / "drupe.bundle", "HEAD"], check=False).returncode:
        pytest.skip("this is no clone with git")
    (folder / "source").mkdir()
    for name in re.findall(r"^([a-z0-9-]+) ", (machine.TOP / "deps/pins").read_text(encoding="ascii"), re.M):
        pinned = subprocess.run([machine.TOP / "deps/fetch.sh", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        files = [pinned]
        if pinned.endswith(".dsc"):
            text = open(pinned, encoding="utf-8").read()
            files += {f"{os.path.dirname(pinned)}/{file}" for file in re.findall(r"^ [0-9a-f]{64} \d+ (\S+)$", text, re.M)}
        for file in files:
            shutil.copy(file, folder / "source")
    return folder


@pytest.fixture(scope="module")
def built(given, tmp_path_factory):
    """A folder with root.cpio and Image, made inside; what was claimed there holds."""
    try:
        root = example.make("examples/drupe.cpio")
    except example.Missing as e:
        pytest.skip(f"Debian's riscv64 packages cannot be had here: {e}")
    out = tmp_path_factory.mktemp("built") / "out"
    done = subprocess.run([machine.BUILD / "drupe", "run", "--root", root, "-m", "4G", "-S", str(os.cpu_count()), "-f", f"{given}:/given", "--out", f"/srv/out:{out}", "--",
                           "/example/check", "/given/drupe.bundle", "/given/source", "/srv/out"],
                          check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT)
    holds, fails = example.claims(done.stdout)
    assert "the_kernel_is_built" in holds and not fails, done.stdout
    assert int(re.search(r"^# (\d+) 0 0$", done.stdout, re.M)[1]) > 100
    return out


def test_the_image_boots(built):
    status, console = machine.run(kernel=built / "Image", initrd=None, append="quiet rdinit=/init")
    assert status == 0 and "init of #1 SMP Drupe" in console and "sort (GNU coreutils)" in console, console


def test_the_image_is_the_one_built_outside(built, tmp_path):
    outside = subprocess.run([machine.TOP / "tests/fresh/try", tmp_path / "trixie", "trixie", "image"], env={**os.environ, "ARCHIVE": str(built / "root.cpio")},
                             check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if outside.returncode == 75:
        pytest.skip(outside.stdout.strip()[-500:])
    assert outside.returncode == 0, outside.stdout[-5000:]
    assert (tmp_path / "trixie.Image").read_bytes() == (built / "Image").read_bytes()
