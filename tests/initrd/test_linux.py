# SPDX-License-Identifier: MIT
"""The table on Debian's Linux 6.12 in QEMU (`make test-linux`): what the table claims of Linux is so, and each tree
that differs from ours is one that docs/initrd.md explains."""
import concurrent.futures
import os
import re
import subprocess

import boots
import machine
import pytest
import table

KERNEL = machine.BUILD / "linux/vmlinux"
DOC = machine.TOP / "docs/initrd.md"


@pytest.fixture(scope="session")
def kernel():
    made = subprocess.run(["make", "-s", "-C", str(machine.TOP), f"B={machine.BUILD}", str(KERNEL)],
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode or not KERNEL.exists():
        pytest.skip("Debian's riscv64 Linux cannot be had here: " + made.stdout.split("deps: what to try")[0].strip()[-500:])
    return KERNEL


@pytest.fixture(scope="session")
def boot_of(request, kernel, tmp_path_factory):
    """Case name -> future of its boot. As many at once as the machine has processors: each boot is a program of one
    thread that takes some seconds."""
    folder = tmp_path_factory.mktemp("linux")
    append = f"{boots.APPEND} console=ttyS0 quiet loglevel=4 panic=-1"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        wanted = {item.callspec.params["case"].name: item.callspec.params["case"] for item in request.session.items
                  if "boot_of" in item.fixturenames}
        yield {name: pool.submit(boots.boot, case, folder, kernel, "512M", append) for name, case in wanted.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", table.ALL, ids=lambda case: case.name)
def test_linux(case, boot_of):
    tree, log = boot_of[case.name].result()
    assert table.seen(tree, case.linux) == case.linux, [line for line in log if "nitramfs" in line]


@pytest.mark.parametrize("case", [case for case in table.ALL if case.why], ids=lambda case: case.name)
def test_a_difference_is_one_and_is_explained(case):
    assert case.linux != case.tree, "the table calls a difference what is none"
    assert f"`{case.name}`" in DOC.read_text(encoding="utf-8"), f"{DOC} does not explain it"


def test_what_is_explained_is_in_the_table():
    named = re.findall(r"^\| `(\w+)`", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(case.name for case in table.ALL if case.why)


@pytest.mark.parametrize("compressor", ["none", "gzip", "zstd", "lz4", "xz"])
def test_linux_boots_what_drupe_packs(kernel, tmp_path, compressor):
    """The walker as its init, and files as others are packed: Linux sees the same tree as our kernel."""
    sample = tmp_path / "sample"
    (sample / "bin").mkdir(parents=True)
    (sample / "bin/large").write_bytes(bytes(range(256)) * 100)
    (sample / "bin/same").hardlink_to(sample / "bin/large")
    (sample / "bin/link").symlink_to("large")
    (sample / "empty").write_bytes(b"")
    out = tmp_path / "ours"
    subprocess.run([machine.BUILD / "drupe", "pack", "--compress", compressor, "--mtime", "7", f"/walk={boots.WALK}", sample, "-o", out],
                   check=True)
    trees = []
    for which, append in ((kernel, "rdinit=/walk console=ttyS0 quiet panic=-1"), (machine.BUILD / "bare/Image", "rdinit=/walk")):
        _, console = machine.run(kernel=which, initrd=out, append=append, memory="512M")
        trees.append([line[1:] for line in console.replace("\r", "").split("\n") if line.startswith("|") and not line.endswith(" .")])
    assert trees[0] == trees[1] and len(trees[0]) == 6 and trees[0][-1] == "end"
