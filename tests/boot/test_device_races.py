# SPDX-License-Identifier: MIT
"""Direct access to disks, and devices that four harts want at once: devices.c, in a plain kernel and in one that checks its locks."""
import subprocess

import machine
import pytest


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    subprocess.run([machine.BUILD / "sysroot/bin/musl-gcc", "-O1", "-Wall", "-I", machine.TOP / "tests", "-o", folder / "devices",
                    machine.TOP / "tests/boot/devices.c", machine.TOP / "tests/user/test.c"], check=True)
    subprocess.run([machine.BUILD / "drupe", "pack", "--bare", "--sysroot", machine.BUILD / "sysroot", "-o", folder / "cpio",
                    f"/test-init={machine.BUILD}/tests/user/init", f"/tests/devices={folder}/devices"], check=True, stderr=subprocess.DEVNULL)
    return folder / "cpio"


@pytest.mark.parametrize("kernel", ["Image", "debug/Image"], ids=["plain", "lock-checking"])
def test_devices_that_four_harts_want(archive, tmp_path, kernel):
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    extra = ["-device", "virtio-serial-device", "-chardev", "file,id=port,path=/dev/null", "-device", "virtserialport,chardev=port,name=port,nr=1", "-device", "virtio-rng-device",
             "-drive", f"if=none,id=disk,format=raw,file={tmp_path}/disk", "-device", "virtio-blk-device,drive=disk"]
    status, text = machine.run(kernel=machine.BUILD / kernel, initrd=archive, append="rdinit=/test-init loglevel=4 -- devices", smp=4, extra=extra)
    assert status == 0 and "not ok" not in text and text.count("\nok ") == 7 and "DONE" in text, text
