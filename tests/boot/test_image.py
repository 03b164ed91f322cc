# SPDX-License-Identifier: MIT
"""Images patched by `drupe image` boot: in QEMU as ELF and flat, patched again and again, and by U-Boot's booti."""
import hashlib
import pathlib
import random
import re
import subprocess

import machine
import pytest

U_BOOT = pathlib.Path("/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin")
INIT = """#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char buffer[65536];
    unsigned long size = 0, sum = 0;
    FILE *f = fopen("/filler", "r");
    for (size_t n; f && (n = fread(buffer, 1, sizeof(buffer), f)) > 0; size += n)
        for (size_t i = 0; i < n; i++)
            sum += (unsigned char)buffer[i];
    printf("root NAME: filler %lu, sum %lu, argument %s\\n", size, sum, argc > 1 ? argv[1] : "none");
    fflush(stdout);
    reboot(RB_POWER_OFF);
}
"""


def drupe(*arguments):
    return subprocess.run([str(machine.BUILD / "drupe"), *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def archives(musl_gcc, tmp_path_factory):
    """Archives with a static init that says which it is; "large" does not fit where the default one was."""
    here, made = tmp_path_factory.mktemp("archives"), {}
    console = here / "console"
    console.write_text("nod /dev/console 600 0 0 c 5 1\n", encoding="ascii")
    for name, size in (("small", 0), ("large", 24 << 20)):
        musl_gcc(here / name, INIT.replace("NAME", name), "-static")
        (here / "filler").write_bytes(bytes(range(256)) * (size // 256))
        made[name] = here / f"{name}.cpio"
        drupe("pack", "--manifest", console, f"/init={here / name}", f"/filler={here / 'filler'}", "-o", made[name])
    return made


def says(name, argument="none"):
    size = {"small": 0, "large": 24 << 20}[name]
    return f"root {name}: filler {size}, sum {size // 256 * 32640}, argument {argument}"


@pytest.mark.parametrize("kind", ["Image", "drupe.elf"])
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_patched_image_boots_with_the_other_root_and_command_line(archives, tmp_path, kind, name):
    out = tmp_path / "out"
    drupe("image", "-k", machine.BUILD / kind, "-i", archives[name], "-a", "one", "-o", out)
    status, text = machine.run(kernel=out, memory="128M")
    assert says(name, "one") in text and status == 0, text


def test_images_made_of_images_boot(archives, tmp_path):
    previous = machine.BUILD / "Image"
    for i, name in enumerate(["large", "small", "large"]):
        out = tmp_path / f"image{i}"
        drupe("image", "-k", previous, "-i", archives[name], "-a", f"step{i}", "-o", out)
        status, text = machine.run(kernel=out, memory="128M")
        assert says(name, f"step{i}") in text and status == 0, text
        previous = out


def test_the_memory_of_a_longer_archive_is_not_given_away(archives, tmp_path):
    """The kernel keeps the whole image to itself, not what it was linked with."""
    out = tmp_path / "out"
    drupe("image", "-k", machine.BUILD / "Image", "-i", archives["large"], "-o", out)
    _, text = machine.run(kernel=out, memory="128M")
    kib = int(re.search(r"image at 0x[0-9a-f]+, (\d+) KiB", text)[1])
    assert kib * 1024 == out.stat().st_size


@pytest.mark.parametrize("kind", ["Image", "drupe.elf"])
def test_an_image_without_an_archive_takes_the_loaders(archives, tmp_path, kind):
    out = tmp_path / "out"
    drupe("image", "-k", machine.BUILD / kind, "--no-initrd", "-a", "built-in", "-o", out)
    status, text = machine.run(kernel=out, initrd=archives["small"], memory="128M")
    assert says("small", "built-in") in text and "embedded archive" not in text and status == 0, text
    _, text = machine.run(kernel=out, memory="128M")
    assert "panic" in text and "embedded archive" not in text, text


@pytest.fixture(scope="module")
def image_of_150_mib(archives, tmp_path_factory):
    """(path, bytes) of the default root's image with a file of 150 MiB behind it."""
    here = tmp_path_factory.mktemp("150mib")
    with open(here / "filler", "wb") as file:
        file.truncate(150 << 20)
    drupe("pack", f"/filler={here / 'filler'}", "-o", here / "filler.cpio")
    out = here / "image"
    drupe("image", "-i", machine.BUILD / "root.cpio", "-i", here / "filler.cpio", "-o", out)
    (here / "filler").unlink()
    (here / "filler.cpio").unlink()
    return out


def kilobytes(m, name):
    return int(re.search(name + r":\s+(\d+)", m.run("cat /proc/meminfo"))[1])


def test_150_mib_boot_in_192_mib(boot, image_of_150_mib):
    """Nothing is copied, so the image and 1 MiB is all it takes; the file is read, and all of it given back."""
    m = boot(kernel=image_of_150_mib, memory="192M")
    m.shell()
    total, free, image = kilobytes(m, "MemTotal"), kilobytes(m, "MemFree"), image_of_150_mib.stat().st_size >> 10
    assert total - free < image * 1.02 + 1024 + 6 * 1024  # processes and the kernel's tables have the last
    assert m.run("wc -c /filler").split()[0] == str(150 << 20)
    m.run("rm /filler")
    assert kilobytes(m, "MemFree") - free > 149 << 10


FW_JUMP = pathlib.Path("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin")


def test_a_device_tree_over_the_image_is_said_and_stops_it(boot, image_of_150_mib):
    """fw_jump puts it 34 MiB behind the start of RAM, whatever is there."""
    if not FW_JUMP.exists():
        pytest.skip(f"no {FW_JUMP}; make setup-test installs Debian's opensbi")
    status, text = machine.run(kernel=image_of_150_mib, memory="512M", extra=["-bios", str(FW_JUMP)])
    assert "put the device tree (0x82200000" in text and "over the image" in text and "a smaller archive" in text and status != 0
    boot(memory="512M", extra=["-bios", str(FW_JUMP)]).shell()


def test_compressed_archives_take_what_they_are_and_what_they_become(boot, tmp_path):
    """The peak: compressed and uncompressed together. Of bytes that cannot be compressed, so that both are 36 MiB."""
    (tmp_path / "noise").write_bytes(random.Random(1).randbytes(36 << 20))
    drupe("pack", "--compress", "zstd:1", f"/noise={tmp_path / 'noise'}", "-o", tmp_path / "noise.cpio")
    m = boot(kernel=machine.BUILD / "Image", initrd=tmp_path / "noise.cpio", memory="96M")
    m.shell()
    total, free = kilobytes(m, "MemTotal"), kilobytes(m, "MemFree")
    assert total - free < (37 << 10) + 3 * 1024 + 6 * 1024
    wanted = hashlib.md5((tmp_path / "noise").read_bytes()).hexdigest()
    assert m.run("md5sum /noise").split()[0] == wanted


@pytest.mark.parametrize("name", ["small", "large"])
def test_u_boot_boots_a_patched_image(boot, archives, tmp_path, name):
    """With the image in memory already, as if it had come from a disk or the network."""
    if not U_BOOT.exists():
        pytest.skip(f"no {U_BOOT}; make setup-test installs Debian's u-boot-qemu")
    out = tmp_path / "out"
    drupe("image", "-k", machine.BUILD / "Image", "-i", archives[name], "-a", "from-u-boot", "-o", out)
    m = boot(kernel=U_BOOT, memory="256M", extra=["-device", f"loader,file={out},addr=0x84000000,force-raw=on"])
    m.expect("Hit any key to stop autoboot")
    m.send(" ")
    m.expect("=> ")
    m.send("booti 0x84000000 - $fdtcontroladdr\r")
    m.expect(re.escape(says(name, "from-u-boot")))
    assert m.wait() == 0
