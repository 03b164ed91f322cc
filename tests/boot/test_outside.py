# SPDX-License-Identifier: MIT
"""What comes from outside and cannot be: places of the loader's archive, and the image descriptor's numbers. Each is told,
and the machine starts without it."""
import struct
import subprocess

import machine
import pytest

RAM, SIZE = 0x80000000, 256 << 20
END = RAM + SIZE
DESCRIPTOR = b"DRUPE-INITRD-1\0\0"


@pytest.fixture(scope="module")
def small(musl_gcc, cpio, tmp_path_factory):
    """An archive whose /init says so and ends."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "root").mkdir()
    musl_gcc(folder / "root/init", '#include <stdio.h>\n#include <sys/reboot.h>\nint main(void) '
             '{ puts("the small root runs"); fflush(stdout); reboot(RB_POWER_OFF); }', "-static")
    (folder / "root/init.c").unlink()
    return cpio(folder / "root", folder / "small.cpio")


@pytest.fixture(scope="module")
def device_tree(small, tmp_path_factory):
    """device_tree(start, end): the machine's tree with the loader's archive there."""
    folder = tmp_path_factory.mktemp("tree")
    line = machine.command(memory="256M", initrd=small, append="rdinit=/bin/echo")
    line[line.index("virt")] = f"virt,dumpdtb={folder}/tree"
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def patched(start, end):
        tree = bytearray((folder / "tree").read_bytes())
        strings = struct.unpack_from(">I", tree, 12)[0]
        for name, value in ((b"linux,initrd-start", start), (b"linux,initrd-end", end)):
            offset = tree.index(b"\0" + name + b"\0", strings) + 1 - strings
            for size in (4, 8):
                at = tree.find(struct.pack(">III", 3, size, offset))
                if at >= 0:
                    tree[at + 12:at + 12 + size] = (value % (1 << 8 * size)).to_bytes(size, "big")
                    tree[at + 4:at + 8] = struct.pack(">I", size)
        (folder / "patched").write_bytes(tree)
        return folder / "patched"
    return patched


def start_with(tree, *loader):
    """The console of a machine whose own root runs echo."""
    _, text = machine.run(memory="256M", extra=["-dtb", str(tree), *loader])
    return text


PLACES = {
    "where_there_is_nothing": (0x40000000, 0x40001000, "is not a memory region"),
    "at_0": (0, 0x1000, "is not a memory region"),
    "past_the_end": (END - 0x1000, END + 0x1000, "is not a memory region"),
    "behind_the_end": (END, END + 0x1000, "is not a memory region"),
    "below_ram": (RAM - 0x1000, RAM + 0x1000, "is not a memory region"),
    "over_the_firmware": (RAM + 0x1000, RAM + 0x2000, "overlaps in-use memory region (the firmware's)"),
    "over_the_kernel": (RAM + 0x300000, RAM + 0x301000, "overlaps in-use memory region (the kernel's image)"),
    "around_the_device_tree": (END - 0x1000000, END, "overlaps in-use memory region (the device tree)"),
    "end_before_start": (RAM + 0x4001000, RAM + 0x4000000, "ends before it starts"),
    "all_there_is": (RAM, END, "overlaps in-use memory region"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_archive_that_cannot_be_there_is_left_out(device_tree, place):
    start, end, fault = PLACES[place]
    text = start_with(device_tree(start, end))
    assert f"INITRD: 0x{start:08x}" in text and fault in text and " - disabling initrd" in text
    assert "external archive" not in text and "Attempted to kill init" in text  # echo ran, of the embedded root


def test_an_archive_at_an_odd_address_at_the_end_of_ram_is_read(device_tree, small):
    size = small.stat().st_size
    start = END - 0x1000000 + 1235
    text = start_with(device_tree(start, start + size), "-device", f"loader,file={small},addr={start},force-raw=on")
    assert "external archive" in text and "disabling" not in text


@pytest.mark.parametrize("offset, size, command_line", [
    (0, None, None), (0x1000, None, None), (None, 1 << 40, None), (None, -4096 % (1 << 64), None), (0x201001, None, None),
    (1 << 50, None, None), (-4096 % (1 << 64), 8192, None), (None, None, 1 << 40), (None, None, -8 % (1 << 64))])
def test_a_descriptor_that_cannot_be_is_told(small, tmp_path, offset, size, command_line):
    image = bytearray((machine.BUILD / "Image").read_bytes())
    at = image.index(DESCRIPTOR) + 16
    numbers = list(struct.unpack_from("<4Q", image, at))
    for i, new in enumerate((offset, size, command_line)):
        if new is not None:
            numbers[i] = new
    struct.pack_into("<4Q", image, at, *numbers)
    (tmp_path / "image").write_bytes(image)
    status, text = machine.run(kernel=tmp_path / "image", initrd=small, memory="256M")
    what = "no command line at" if command_line else "no archive at"
    assert "the image's descriptor is wrong: " + what in text and "the small root runs" in text and status == 0
