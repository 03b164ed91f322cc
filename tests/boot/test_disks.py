# SPDX-License-Identifier: MIT
"""Virtio disks and their partitions as block devices, in both layouts of the registers, and /dev/hwrng."""
import os
import struct
import zlib

import machine
import pytest

LAYOUTS = {"legacy": (), "1.0": ("-global", "virtio-mmio.force-legacy=false")}
MIB = 1 << 20
SECTOR = 512


def mbr(entries):
    table = b"".join(struct.pack("<B3xB3xII", 0, kind, start, count) for kind, start, count in entries)
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


def with_mbr(size):
    """Two primary partitions and an extended one with two logical ones; one that does not lie on the disk."""
    disk = bytearray(os.urandom(size))
    disk[:SECTOR] = mbr([(0x83, 100, 1000), (0x82, 1100, 100), (0x05, 2000, 2000), (0x83, 1, 1 << 31)])
    disk[2000 * SECTOR:2001 * SECTOR] = mbr([(0x83, 10, 500), (0x05, 1000, 1000)])
    disk[3000 * SECTOR:3001 * SECTOR] = mbr([(0x83, 20, 300), (0x05, 0, 1000)])  # and the chain begins anew: there it ends
    return bytes(disk)


def with_gpt(size):
    disk = bytearray(size)
    last = size // SECTOR - 34
    entry = struct.pack("<16s16sQQQ72s", b"t" * 16, b"u" * 16, 2048, 4095, 0, "data".encode("utf-16le"))
    entries = (entry + bytes(128) + struct.pack("<16s16sQQQ72s", b"t" * 16, b"v" * 16, 4096, 5000, 0, b"")).ljust(128 * 128, b"\0")
    header = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, 1, size // SECTOR - 1, 34, last, b"d" * 16, 2, 128, 128, zlib.crc32(entries))
    disk[:SECTOR] = mbr([(0xEE, 1, size // SECTOR - 1)])
    disk[SECTOR:SECTOR + 92] = header
    disk[2 * SECTOR:2 * SECTOR + len(entries)] = entries
    return bytes(disk)


class Disks:
    def __init__(self, folder, layout):
        self.paths, self.content, extra = [], [with_mbr(4 * MIB), with_gpt(4 * MIB), os.urandom(MIB)], list(layout)
        for i, (content, more) in enumerate(zip(self.content, ("", "", ",readonly=on"))):
            self.paths.append(folder / f"disk{i}")
            self.paths[-1].write_bytes(content)
            # QEMU's places are filled from the last to the first, and found from the first on.
        for i in reversed(range(3)):
            extra += ["-drive", f"file={self.paths[i]},format=raw,if=none,id=d{i}{',readonly=on' if i == 2 else ''}", "-device",
                      f"virtio-blk-device,drive=d{i}"]
        self.extra = (*extra, "-device", "virtio-rng-device")


@pytest.fixture(scope="module", params=LAYOUTS.values(), ids=LAYOUTS)
def disks(request, tmp_path_factory):
    d = Disks(tmp_path_factory.mktemp("disks"), request.param)
    with machine.Machine(smp=2, extra=d.extra) as d.machine:
        d.machine.shell()
        log = d.machine.run("cat /proc/partitions")
        names = {line.split()[3]: int(line.split()[2]) for line in log.splitlines() if len(line.split()) == 4 and line.split()[0] == "254"}
        d.names = names
        # Which is which: QEMU decides.
        d.letter = {}
        for letter in "abc":
            parts = sorted(n for n in names if n.startswith(f"vd{letter}"))
            d.letter[{6: 0, 3: 1, 1: 2}[len(parts)]] = letter
        yield d


def test_partitions_are_found(disks):
    m, g = disks.letter[0], disks.letter[1]
    assert {n[3:]: size for n, size in disks.names.items() if n[2] == m} == {"": 4096, "1": 500, "2": 50, "3": 1, "5": 250, "6": 150}
    assert {n[3:]: size for n, size in disks.names.items() if n[2] == g} == {"": 4096, "1": 1024, "3": 452}
    assert "254 virtblk" in disks.machine.run("cat /proc/devices")
    assert "brw-------" in disks.machine.run("ls -l /dev/vda")


def test_sysfs_tells_of_them(disks):
    run, m = disks.machine.run, disks.letter[0]
    run("mkdir -p /sys; mount -t sysfs sysfs /sys")
    for name, kilobytes in disks.names.items():
        assert int(run(f"cat /sys/class/block/{name}/size")) // 2 == kilobytes
        number = run(f"cat /sys/class/block/{name}/dev").strip()
        assert f"DEVNAME={name}\n" in run(f"cat /sys/dev/block/{number}/uevent").replace("\r", "")
    assert run("echo /sys/block/*").replace("/sys/block/", "").split() == ["vda", "vdb", "vdc"]
    assert run(f"cd /sys/block/vd{m}/vd{m}5; cat partition start ro").split() == ["5", "2010", "0"]
    assert run(f"cat /sys/block/vd{disks.letter[2]}/ro /sys/block/vd{m}/queue/logical_block_size").split() == ["1", "512"]
    assert run(f"cd /sys/class/block/vd{m}5/subsystem/vd{m} && pwd; cd /").strip() == f"/sys/class/block/vd{m}5/subsystem/vd{m}"


def test_a_disk_with_a_cache_is_said_to_write_back(disks):
    assert disks.machine.run("cat /sys/block/vda/queue/write_cache").strip() == "write back"


def test_transfers_are_counted(disks):
    run, m = disks.machine.run, disks.letter[0]

    def counts():
        lines = [line.split() for line in run("cat /proc/diskstats").splitlines()]
        return {line[2]: [int(n) for n in line[3:]] for line in lines if len(line) == 20 and line[0] == "254"}

    before = counts()
    assert set(before) == set(disks.names)
    run(f"dd if=/dev/vd{m}1 of=/tmp/x bs=64k count=2; dd if=/tmp/x of=/dev/vd{m}1 bs=64k conv=fsync")
    after = counts()
    for name, flushes in ((f"vd{m}1", 0), (f"vd{m}", 1)):
        changed = [a - b for a, b in zip(after[name], before[name])]
        assert [changed[i] for i in (0, 1, 2, 4, 5, 6, 15)] == [2, 0, 256, 2, 0, 256, flushes]
    assert after[f"vd{m}5"] == before[f"vd{m}5"]
    assert run(f"cat /sys/block/vd{m}/stat").split() == [str(n) for n in after[f"vd{m}"]]


def test_bytes_from_anywhere(disks):
    m, content = disks.letter[0], disks.content[0]
    part = content[100 * SECTOR:1100 * SECTOR]
    for what, want in ((f"dd if=/dev/vd{m} bs=64k", content), (f"dd if=/dev/vd{m}1 bs=1001 skip=3", part[3003:]),
                       (f"tail -c 777 /dev/vd{m}1", part[-777:]), (f"dd if=/dev/vd{m}5 bs=1M", content[2010 * SECTOR:2510 * SECTOR])):
        assert f"{zlib.crc32(want) & 0xffffffff:08x}" in disks.machine.run(f"{what} 2>/dev/null | crc32"), what


def test_what_is_written_is_on_the_disk(disks):
    m = disks.letter[0]
    assert disks.machine.run(f"head -c 300000 /dev/urandom >/tmp/d; dd if=/tmp/d of=/dev/vd{m}1 bs=777 seek=1 conv=fsync 2>/dev/null; sync; crc32 </tmp/d").strip()
    crc = disks.machine.run("crc32 </tmp/d").split()[0]
    now, before = disks.paths[0].read_bytes(), disks.content[0]
    at = 100 * SECTOR + 777
    assert f"{zlib.crc32(now[at:at + 300000]):08x}" == crc
    assert now[:at] == before[:at] and now[at + 300000:] == before[at + 300000:]


def test_the_end_of_a_device(disks):
    m = disks.letter[0]
    out = disks.machine.run(f"dd if=/dev/zero of=/dev/vd{m}2 bs=4k 2>&1; echo x | dd of=/dev/vd{m}2 bs=1 seek=51200 2>&1; wc -c </dev/vd{m}2")
    assert "51200 bytes" in out and "No space left on device" in out and "\n51200" in out


def test_one_that_is_read_only(disks):
    r = disks.letter[2]
    assert "not permitted" in disks.machine.run(f"echo x >/dev/vd{r}") and disks.machine.run(f"blockdev --getro /dev/vd{r}").split()[0] == "1"
    assert disks.paths[2].read_bytes() == disks.content[2]


def test_what_ioctl_tells(disks):
    m = disks.letter[0]
    assert disks.machine.run(f"blockdev --getsize64 /dev/vd{m}; blockdev --getss /dev/vd{m}1; blockdev --getsz /dev/vd{m}1; blockdev --flushbufs "
                             f"/dev/vd{m} && echo flushed").split()[:4] == [str(4 * MIB), "512", "1000", "flushed"]


def test_entropy_is_read(disks):
    assert "10 misc" in disks.machine.run("cat /proc/devices") and "10, 183" in disks.machine.run("ls -l /dev/hwrng")
    assert disks.machine.run("dd if=/dev/hwrng bs=1000 count=1 iflag=fullblock 2>/dev/null | wc -c").split()[0] == "1000"
    assert disks.machine.run("head -c 64 /dev/hwrng | md5sum") != disks.machine.run("head -c 64 /dev/hwrng | md5sum")


def test_an_mbr_counts_in_the_disks_blocks(tmp_path):
    disk = bytearray(MIB)
    disk[:SECTOR] = mbr([(0x83, 16, 32), (0x05, 64, 64)])
    disk[64 * 4096:64 * 4096 + SECTOR] = mbr([(0x83, 8, 16)])
    disk[16 * 4096:16 * 4096 + 5], disk[72 * 4096:72 * 4096 + 7] = b"first", b"logical"
    path = tmp_path / "disk"
    path.write_bytes(disk)
    extra = ["-drive", f"file={path},format=raw,if=none,id=d", "-device", "virtio-blk-device,drive=d,logical_block_size=4096,physical_block_size=4096"]
    with machine.Machine(extra=extra) as m:
        m.shell()
        assert "128 vda1" in m.run("cat /proc/partitions") and "64 vda5" in m.run("cat /proc/partitions")
        assert "first" in m.run("head -c 5 /dev/vda1") and "logical" in m.run("head -c 7 /dev/vda5")
