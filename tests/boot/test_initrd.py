# SPDX-License-Identifier: MIT
"""The external archive over the embedded one, and what a bad archive leaves."""
import hashlib
import random
import re
import shutil
import subprocess

import machine
import pytest


def member(name, data=b"", mode=0o100644, ino=1, nlink=1, **damage):
    """One newc entry."""
    raw = damage.get("raw", name.encode() + b"\0")
    fields = [ino, mode, 0, 0, nlink, 0, damage.get("size", len(data)), 0, 0, 0, 0, damage.get("namesize", len(raw)), 0]
    head = damage.get("magic", b"070701") + b"".join(b"%08X" % f for f in fields)
    if "digits" in damage:
        head = head[:14] + damage["digits"] + head[14 + len(damage["digits"]):]
    if damage.get("no_nul"):
        raw = raw[:-1] + b"x"
    entry = head + raw
    entry += b"\0" * (-len(entry) % 4)
    return entry + data + b"\0" * (-len(data) % 4)


TRAILER = member("TRAILER!!!", mode=0)
GOOD = member("good", b"kept\n", ino=7)

BAD = {
    "cut_in_a_header": (GOOD + member("second", b"data")[:50], "entry 2"),
    "cut_in_the_data": (GOOD + member("second", b"x" * 5000)[:2000], 'second'),
    "bad_magic": (GOOD + member("second", b"data", magic=b"070709") + TRAILER, "entry 2"),
    "non_hex_digits": (GOOD + member("second", b"data", digits=b"0000zz00") + TRAILER, "entry 2"),
    "a_name_without_nul": (GOOD + member("second", b"data", no_nul=True) + TRAILER, "entry 2"),
    "a_size_past_the_end": (GOOD + member("second", b"data", size=0x7fffffff) + TRAILER, "second"),
    "a_name_that_climbs_out": (GOOD + member("../../etc/second", b"data") + TRAILER, "second"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_reported_and_what_came_before_it_stays(boot, tmp_path, kind):
    data, names = BAD[kind]
    archive = tmp_path / "bad.cpio"
    archive.write_bytes(data)
    m = boot(initrd=archive)
    m.shell()
    assert m.run("cat /good").strip() == "kept"
    assert m.run("ls /second /etc/second 2>/dev/null").strip() == ""
    log = m.run("dmesg | grep -i initrd")
    assert names in log, log


def test_an_archive_larger_than_memory_is_reported(boot, tmp_path):
    archive = tmp_path / "many.cpio"
    with open(archive, "wb") as f:
        f.write(GOOD)
        for i in range(150000):
            f.write(member(f"d{i}", mode=0o040755, ino=i + 100, nlink=2))
        f.write(TRAILER)
    m = boot(initrd=archive, memory="96M")
    m.shell()
    assert m.run("cat /good").strip() == "kept"


def test_the_external_archive_lies_over_the_embedded_one(boot, tmp_path):
    archive = tmp_path / "over.cpio"
    archive.write_bytes(member("etc/motd", b"replaced\n") + member("new/deep/file", b"implied\n", ino=2) + TRAILER)
    m = boot(initrd=archive)
    m.shell()
    assert m.run("cat /etc/motd").strip() == "replaced"
    assert m.run("cat /new/deep/file").strip() == "implied"
    assert "root" in m.run("cat /etc/passwd")


def test_links_devices_modes_owners_and_times_arrive(boot, tmp_path):
    tree = tmp_path / "tree"
    (tree / "t").mkdir(parents=True)
    (tree / "t" / "big").write_bytes(bytes(range(256)) * 100)
    (tree / "t" / "link").hardlink_to(tree / "t" / "big")
    (tree / "t" / "sym").symlink_to("big")
    (tree / "t" / "big").chmod(0o4751)
    subprocess.run(["mkfifo", str(tree / "t" / "fifo")], check=True)
    subprocess.run(["touch", "-d", "2001-02-03 04:05:06 UTC", str(tree / "t" / "big")], check=True)
    archive = tmp_path / "a.cpio"
    names = "t\nt/big\nt/link\nt/sym\nt/fifo\n"
    with open(archive, "wb") as f:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "5:6"], cwd=tree, input=names.encode(), stdout=f,
                       check=True)
    m = boot(initrd=archive)
    m.shell()
    assert m.run("stat -c '%a %u %g %h %s %Y' /t/big").strip() == "4751 5 6 2 25600 981173106"
    assert m.run("stat -c %i /t/big /t/link | uniq | wc -l").strip() == "1"
    assert m.run("readlink /t/sym; stat -c %F /t/fifo").split("\n")[:2] == ["big", "fifo"]
    assert m.run("md5sum < /t/link").split()[0] == "%s" % hashlib.md5(bytes(range(256)) * 100).hexdigest()


@pytest.mark.parametrize("image", ["Image", "bare/Image"])
def test_someones_own_dynamic_init_from_gnu_cpio_boots(musl_gcc, cpio, tmp_path, image):
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    shutil.copy(machine.BUILD / "sysroot/lib/libc.so", root / "lib/ld-musl-riscv64.so.1")
    musl_gcc(root / "init", '#include <stdio.h>\n#include <sys/reboot.h>\nint main(void) '
             '{ puts("my own init runs"); fflush(stdout); reboot(RB_POWER_OFF); }')
    status, text = machine.run(kernel=machine.BUILD / image, initrd=cpio(root, tmp_path / "x.cpio"), memory="1G", append="rdinit=/init")
    assert "my own init runs" in text
    assert status == 0


@pytest.mark.parametrize("compressor", ["gzip -n", "zstd -q --ultra -22", "lz4 -q", "lz4 -q -l", "xz --check=crc32"])
def test_a_compressed_root_boots_and_its_input_is_given_back(boot, tmp_path, compressor):
    root = machine.BUILD / "root.cpio"
    packed = subprocess.run([*compressor.split(), "-c", str(root)], check=True, stdout=subprocess.PIPE).stdout
    (tmp_path / "root").write_bytes(packed)
    m = boot(kernel=machine.BUILD / "bare/Image", initrd=tmp_path / "root", memory="64M")
    log = m.shell()
    assert f"{root.stat().st_size} decompressed" in log and " 0 copied" in log
    # What is gone then: the archive, but for its headers, and what the kernel needs for itself.
    used = int(re.search(r"Mem:\s+\d+\s+(\d+)", m.run("free")).group(1)) * 1024
    assert used < root.stat().st_size + (6 << 20)


def test_an_archive_that_does_not_fit_panics_if_strict(tmp_path):
    archive = tmp_path / "a.cpio"
    archive.write_bytes(b"".join(member(f"{i:04}/" + 200 * "d/" + "f") for i in range(1000)) + member("TRAILER!!!", mode=0))
    machine_of = {"kernel": machine.BUILD / "bare/Image", "initrd": archive, "memory": "32M"}
    status, text = machine.run(append="initrd=strict", **machine_of)
    assert "no room for it" in text and "needs more memory than there is" in text and "initrd=lenient" in text and status != 0
    status, text = machine.run(**machine_of)
    assert "no room for it" in text and "needs more memory" not in text and "no working init" in text.lower()


def archive_pages(m, kind):
    return int(re.search(kind + r":\s+(\d+)", m.run("cat /proc/meminfo")).group(1)) // 4


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_unlinking_gives_every_page_of_the_archive_back(boot, tmp_path, shift):
    # Not aligned to pages; large files, and small ones that share pages with each other and with the large ones' ends.
    body = bytes(range(256)) * 4096
    entries = [member("t/", mode=0o040755)]
    for i in range(30):
        entries += [member(f"t/large{i}", body[:300000 + 1000 * i]), member(f"t/small{i}", body[:100 + 300 * i])]
    archive = tmp_path / "a.cpio"
    archive.write_bytes(b"\0" * 4 * shift + b"".join(entries) + member("TRAILER!!!", mode=0))
    m = boot(initrd=archive, smp=4)
    m.shell()
    before = archive_pages(m, "ArchiveReleased")
    assert m.run("cd /t; ls | wc -l").strip() == "60"
    m.run("rm small1 small2 large3; truncate -s 5000 large4; head -c 5000 large4 | md5sum > /tmp/sum")
    assert m.run("md5sum < /tmp/sum") and m.run("cat /tmp/sum").split()[0] == hashlib.md5(body[:5000]).hexdigest()
    assert m.run("md5sum < large5").split()[0] == hashlib.md5(body[:305000]).hexdigest()
    m.run("echo more >> small5; cd /; rm -r /t")
    pages = archive.stat().st_size // 4096
    assert pages - 4 <= archive_pages(m, "ArchiveReleased") - before <= pages + 1


SIZES = [0, 0, 0, 1, 100, 1000, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 20000]


def random_archive(seed):
    """Empty files between full ones, names that come twice, hard links whose data come with any of their names, data at
    the start of a page and elsewhere. Returns the archive and {name: content}."""
    rng = random.Random(seed)
    out, content, groups = bytearray(member("t/", mode=0o040755)), {}, {}
    for i in range(160):
        body = rng.randbytes(rng.choice(SIZES))
        name, ino, nlink = f"t/{rng.choice([i, rng.randrange(i + 1)])}", 1000 + i, 1
        if rng.random() < 0.3:
            ino, nlink = 5000 + rng.randrange(8), 3
            name = f"t/l{ino}.{rng.randrange(4)}"
        raw = name.encode() + b"\0"
        if body and rng.random() < 0.5:  # NULs behind the name, up to a page
            raw += bytes(-(len(out) + 110 + len(raw)) % 4096)
        out += member(name, body, ino=ino, nlink=nlink, raw=raw)
        if nlink > 1:
            body = body or groups.get(ino, b"")
            groups[ino] = body
            content[name] = b""
            content.update({other: body for other in content if other.startswith(f"t/l{ino}.")})
        else:
            content[name] = body
    return bytes(out) + TRAILER, content


@pytest.fixture(scope="module")
def released_without_another():
    """Pages of the embedded archive that are released by the time the shell runs."""
    with machine.Machine(memory="64M") as m:
        m.shell()
        return archive_pages(m, "ArchiveReleased")


@pytest.mark.parametrize("seed", range(2))
def test_pages_of_a_random_archive_go_once_and_come_back_whole(boot, tmp_path, released_without_another, seed):
    data, content = random_archive(seed)
    rng = random.Random(-seed)
    sums = "".join(f"{hashlib.md5(body).hexdigest()}  /{name}\n" for name, body in content.items()).encode()
    archive = tmp_path / "a.cpio"
    archive.write_bytes(member("sums", sums) + TRAILER + bytes(-(len(member("sums", sums)) + len(TRAILER)) % 4096) + data)
    m = boot(initrd=archive, smp=2, memory="64M")
    m.shell()
    assert "FAILED" not in m.run("md5sum -c /sums 2>&1 | grep -v OK; ls /t | wc -l")
    plain = [name for name in content if "." not in name]
    for name in rng.sample(plain, 20):  # cut, in two steps
        size = len(content[name])
        first = rng.randrange(size + 1)
        m.run(f"truncate -s {first} /{name}; truncate -s {rng.randrange(first + 1)} /{name}; sed -i '\\,/{name}$,d' /sums")
    order = rng.sample(list(content), len(content))
    m.run("cp /sums /tmp/sums")
    for part in range(0, len(order), 40):
        names = order[part:part + 40]
        m.run("rm -f " + " ".join(f"/{name}" for name in names))
        m.run("".join(f"sed -i '\\,/{name}$,d' /tmp/sums;" for name in names[:20]))
        m.run("".join(f"sed -i '\\,/{name}$,d' /tmp/sums;" for name in names[20:]))
        m.run("for i in 1 2 3; do cat /bin/busybox > /tmp/fill$i; done; cmp /tmp/fill1 /tmp/fill3 || echo FAILED")
        assert "FAILED" not in m.run("md5sum -c /tmp/sums 2>&1 | grep -v OK; rm /tmp/fill*")
    released = archive_pages(m, "ArchiveReleased") - released_without_another
    pages = archive.stat().st_size // 4096
    assert pages - 2 <= released <= pages + 1
