# SPDX-License-Identifier: MIT
"""Directories of the host through QEMU's 9P server, in both layouts of virtio's registers; 9p/9p.c is what is done in the machine, from
a directory of the host, where the program itself lies."""
import os
import shutil
import subprocess

import machine
import pytest

HERE = machine.TOP / "tests/boot/9p"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    out = tmp_path_factory.mktemp("9p") / "9p"
    subprocess.run([machine.BUILD / "sysroot/bin/musl-gcc", "-O1", "-o", out, HERE / "9p.c", machine.TOP / "tests/user/test.c"], check=True)
    return out


def device(path, tag="host", more=""):
    return ("-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap{more}", "-device",
            f"virtio-9p-device,fsdev={tag},mount_tag={tag}")


def replace(path, text):
    (path.parent / "new").write_text(text)
    os.rename(path.parent / "new", path)


def has(path, at, byte):
    assert path.read_bytes()[at:at + 1] == byte


def directory(path):
    path.mkdir()
    (path / "in").write_text("inner")


def append(path, text):
    with path.open("a") as f:
        f.write(text)


def many(path):
    for i in range(20000):
        (path / f"n{i}").touch()


WISHES = {
    "mapped-has-s": lambda d: has(d / "mapped", 2 * 4096, b"s"),
    "mapped-has-u": lambda d: has(d / "mapped", 3 * 4096, b"u"),
    "mapped-has-c": lambda d: has(d / "mapped", 4 * 4096, b"c"),
    "mapped-has-l": lambda d: has(d / "mapped", 0, b"l"),
    "final-has-3": lambda d: os.stat(d / "final").st_size == 3 or pytest.fail("still as it was"),
    "both-rewrite": lambda d: (d / "both").write_text("from the host!"),
    "both-replace": lambda d: replace(d / "both", "new"),
    "both-remove": lambda d: (d / "both").unlink(),
    "both-directory": lambda d: directory(d / "both"),
    "both-directory-moves": lambda d: (d / "both").rename(d / "moved"),
    "name-moves": lambda d: (d / "name").rename(d / "name2"),
    "nth-1-and-2-go": lambda d: [(d / f"nth{i}").unlink() for i in (1, 2)],
    "grows-append": lambda d: append(d / "grows", "more"),
    "many": lambda d: many(d / "many"),
}


@pytest.mark.parametrize("layout", [(), ("-global", "virtio-mmio.force-legacy=false")], ids=["legacy", "1.0"])
def test_files(tmp_path, program, layout):
    tmp_path.chmod(0o755)
    shutil.copy(program, tmp_path / "9p")
    with machine.Machine(smp=4, extra=(*layout, *device(tmp_path))) as m:
        m.shell()
        assert "0\n" in m.run("mkdir /host; mount -t 9p -o trans=virtio,version=9p2000.L host /host; echo $?")
        m.send("cd /host; ./9p\r")
        while True:
            text = m.expect(r"WANT [\w-]+\r", machine.PROMPT)
            if "WANT " not in text:
                break
            WISHES[text[text.index("WANT ") + 5:].strip()](tmp_path)
            m.send("\r")
        out = m.log[m.log.index("./9p") if "./9p" in m.log else 0:]
        assert "not ok" not in out and out.count("\nok ") + out.count("\rok ") > 10, out
        assert "0\n" in m.run("cd /; umount /host; echo $?")
        assert "0\n" in m.run("mount -t 9p -o trans=virtio host /host && umount /host; echo $?")


def test_options_and_tags(tmp_path):
    with machine.Machine(extra=device(tmp_path)) as m:
        m.shell()
        m.run("mkdir /host")
        for options, word in (("trans=tcp", "Invalid"), ("trans=virtio,version=9p2000", "Invalid"), ("trans=virtio,msize=100", "Invalid")):
            assert word in m.run(f"mount -t 9p -o {options} host /host")
        assert "No such file" in m.run("mount -t 9p -o trans=virtio other /host")
        assert m.run("mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=8192,access=user host /host; echo $?").endswith("0\n")
        assert "host /host 9p ro,relatime,access=user,msize=8192,trans=virtio 0 0" in m.run("grep 9p /proc/mounts")
        assert "busy" in m.run("mount -t 9p -o trans=virtio host /tmp")
        (tmp_path / "f").write_bytes(b"x" * 100000)
        assert "100000" in m.run("cat /host/f | wc -c") and "Read-only" in m.run("touch /host/g") and "9p" in m.run("cat /proc/filesystems")


def test_what_is_synced_is_with_the_host(tmp_path):
    subprocess.run([machine.BUILD / "sysroot/bin/musl-gcc", "-O1", "-o", tmp_path / "sync", HERE / "sync.c"], check=True)
    with machine.Machine(smp=2, extra=device(tmp_path, more=",throttling.bps-write=51200")) as m:
        m.shell()
        m.run("mkdir /host; mount -t 9p -o trans=virtio host /host; cd /host")
        m.send("./sync\r")
        m.expect("synced")
        data = (tmp_path / "late").read_bytes()
        assert data == b"d" * len(data)


def test_who_waits_for_the_server_can_be_killed(tmp_path):
    """The server takes its time: 1 KiB a second. Nobody waits for that but who wants to."""
    (tmp_path / "slow").write_bytes(bytes(8 << 20))
    (tmp_path / "fast").write_text("fast\n")
    with machine.Machine(smp=2, extra=device(tmp_path, more=",throttling.bps-total=1024")) as m:
        m.shell()
        m.run("mkdir /host; mount -t 9p -o trans=virtio host /host; cd /host")
        m.send("cat slow slow & cat slow >/tmp/x & dd if=/dev/zero of=written bs=100k count=50 & dd if=/dev/zero of=written bs=100k count=50 & (cat & cat) <slow >/tmp/y &\r")
        m.expect(machine.PROMPT)
        assert "slow" in m.run("sleep 1; ls -l slow")
        m.send("kill -9 $!; killall -9 cat dd; wait; echo all have en''ded\r")
        m.expect("all have ended")
        m.expect(machine.PROMPT)
        m.run("mkdir d; rmdir d; rm written")
        assert not (tmp_path / "written").exists()


def test_more_than_memory_holds_is_read(tmp_path):
    """What is kept of files goes back when memory is short: of a large one, and of many."""
    with (tmp_path / "large").open("wb") as f:
        f.truncate(150 << 20)
    (tmp_path / "many").mkdir()
    for i in range(300):
        (tmp_path / f"many/{i}").write_bytes(bytes(256 << 10))
    with machine.Machine(smp=2, memory="96M", extra=device(tmp_path)) as m:
        m.shell()
        m.run("mkdir /host; mount -t 9p -o trans=virtio host /host; cd /host")
        for _ in range(2):
            assert f"{150 << 20} bytes" in m.run("dd if=large of=/dev/null bs=64k 2>&1") and "0\n" in m.run("cat many/* >/dev/null; echo $?")
        assert "Out of memory" not in m.log
