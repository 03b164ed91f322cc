# SPDX-License-Identifier: MIT
"""Virtio devices, in both layouts of their registers: ports to the host, consoles, entropy. What QEMU offers and we have no
driver for is left alone."""
import hashlib
import os
import socket
import threading

import machine
import pytest

LEGACY = ()
MODERN = ("-global", "virtio-mmio.force-legacy=false")
LIMIT = machine.LIMIT


class Port:
    """A port of the machine, and this end of it."""

    def __init__(self, folder, name, number):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / name))
        self.listener.listen(1)
        self.options = ("-chardev", f"socket,id={name},path={folder / name}", "-device", f"virtserialport,nr={number},chardev={name},name={name}")

    def connect(self):
        self.host, _ = self.listener.accept()
        self.host.settimeout(LIMIT)

    def receive(self, n):
        got = b""
        while len(got) < n:
            piece = self.host.recv(1 << 20)
            assert piece, "the port closed"
            got += piece
        return got


@pytest.fixture(scope="module", params=[LEGACY, MODERN], ids=["legacy", "1.0"])
def both(request, tmp_path_factory):
    """A machine with two ports, an entropy device, and one that nobody drives."""
    folder = tmp_path_factory.mktemp("ports")
    ports = [Port(folder, "a", 1), Port(folder, "b", 2)]
    extra = (*request.param, "-device", "virtio-serial-device", *ports[0].options, *ports[1].options, "-device", "virtio-rng-device",
             "-device", "virtio-balloon-device")
    with machine.Machine(smp=4, extra=extra) as m:
        for p in ports:
            p.connect()
        m.shell()
        yield m, ports


def test_ports_are_devices(both):
    m, _ = both
    assert "243,   1" in m.run("ls -l /dev/vport0p1") and "crw-------" in m.run("ls -l /dev/vport0p2")
    assert "243 virtio-portsdev" in m.run("cat /proc/devices")


def test_lines_go_both_ways(both):
    m, (a, b) = both
    m.send("(echo to the host; head -n 1) <>/dev/vport0p1 >&0\r")
    assert a.receive(12) == b"to the host\n"
    a.host.sendall(b"to the guest\n")
    assert a.receive(13) == b"to the guest\n"
    m.expect(machine.PROMPT)
    m.send("echo other >/dev/vport0p2\r")
    assert b.receive(6) == b"other\n"
    m.expect(machine.PROMPT)


def test_one_program_at_a_time(both):
    m, _ = both
    assert "busy" in m.run("exec 5<>/dev/vport0p1; cat /dev/vport0p1; exec 5<&-").lower()


def test_megabytes_arrive_as_they_are(both):
    m, (a, _) = both
    data = os.urandom(1 << 20) * 24
    threading.Thread(target=a.host.sendall, args=(data,), daemon=True).start()
    out = m.run(f"head -c {len(data)} /dev/vport0p1 >/tmp/big; md5sum </tmp/big")
    assert hashlib.md5(data).hexdigest() in out
    m.send("cat /tmp/big >/dev/vport0p1; rm /tmp/big\r")
    assert a.receive(len(data)) == data
    m.expect(machine.PROMPT)


def test_a_full_port_waits_and_is_killed(both):
    m, (a, _) = both
    assert "143" in m.run("yes >/dev/vport0p1 & sleep 1; kill $!; wait $!; echo $?")
    a.host.settimeout(1)
    try:
        while a.host.recv(1 << 20):
            pass
    except TimeoutError:
        a.host.settimeout(LIMIT)


def test_nothing_to_read_is_no_end_while_the_host_is_there(both):
    m, (a, _) = both
    assert "143" in m.run("cat /dev/vport0p1 >/dev/null & sleep 1; kill $!; wait $!; echo $?")
    a.host.setblocking(True)
    a.host.settimeout(LIMIT)


def test_host_that_leaves_is_the_end_of_file(both):
    m, (_, b) = both
    m.send("cat /dev/vport0p2; echo o''ver\r")
    b.host.sendall(b"last words\n")
    m.expect("last words")
    b.host.close()
    m.expect("over")
    m.expect(machine.PROMPT)
    assert m.run("cat /dev/vport0p2; echo over") == "over\n"


@pytest.mark.parametrize("layout", [LEGACY, MODERN], ids=["legacy", "1.0"])
def test_shell_on_hvc0(layout):
    extra = (*layout, "-device", "virtio-serial-device", "-chardev", "stdio,id=c,signal=off", "-device", "virtconsole,chardev=c",
             "-serial", "none", "-monitor", "none")
    with machine.Machine(append="console=hvc0", extra=extra) as m:
        m.shell()
        assert "/dev/hvc0" in m.run("tty <>/dev/hvc0") and "hvc0" in m.run("cat /sys/class/tty/console/active")
        text = "x" * 3000
        m.send(f"cat >/tmp/long\r{text}\r\x04")
        m.expect(machine.PROMPT)
        assert "3001" in m.run("wc -c </tmp/long")
        m.send("poweroff\r")
        assert m.wait() == 0


def test_console_of_one_port():
    """A device without messages: QEMU 7.2 and 10 have none such but with max_ports=1."""
    extra = ("-device", "virtio-serial-device,max_ports=1", "-chardev", "stdio,id=c,signal=off", "-device", "virtconsole,chardev=c",
             "-serial", "none", "-monitor", "none")
    with machine.Machine(append="console=hvc0", extra=extra) as m:
        m.shell()
        assert "fine" in m.run("echo fine")
