# SPDX-License-Identifier: MIT
"""The virtio network card, in both layouts of its registers, on QEMU's user network: what is on the other side is this test, on the host's
loopback, which the machine reaches at 10.0.2.2."""
import hashlib
import json
import os
import socket
import threading

import machine
import pytest

LAYOUTS = {"legacy": (), "1.0": ("-global", "virtio-mmio.force-legacy=false")}
DATA = os.urandom(1 << 16) * 128  # 8 MiB
SUM = hashlib.md5(DATA).hexdigest()


class Monitor:
    """QEMU's, for pulling the cable."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while "return" not in (answer := json.loads(self.file.readline())):
            assert "error" not in answer, answer


def serve(handler):
    """A server that calls handler for one connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        connection, _ = listener.accept()
        connection.settimeout(machine.LIMIT)
        with connection, listener:
            handler(connection)

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


@pytest.fixture(scope="module", params=LAYOUTS.values(), ids=LAYOUTS)
def net(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("qmp") / "monitor"
    extra = (*request.param, "-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0,mac=52:54:00:01:02:03,id=card", "-qmp",
             f"unix:{path},server=on,wait=off")
    with machine.Machine(smp=2, extra=extra) as m:
        m.shell()
        m.monitor = Monitor(path)
        assert "state DOWN" in m.run("ip link show eth0")
        assert m.run("ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2").strip() == ""
        yield m


def test_the_card_is_a_device(net):
    assert "52:54:00:01:02:03" in net.run("cat /sys/class/net/eth0/address")
    assert "BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500" in net.run("ip link show eth0")


def test_the_gateway_answers_and_is_a_neighbour(net):
    assert "1 packets received" in net.run("ping -c 1 10.0.2.2")
    assert "10.0.2.2 dev eth0 lladdr 52:55:0a:00:02:02" in net.run("ip neigh")
    assert "10.0.2.2         0x1         0x2         52:55:0a:00:02:02     *        eth0" in net.run("cat /proc/net/arp")


def test_a_packet_longer_than_a_frame_goes_in_fragments(net):
    assert "1 packets received" in net.run("ping -c 1 -s 5000 10.0.2.2")


def test_megabytes_come_as_they_were_sent(net):
    port = serve(lambda c: c.sendall(DATA))
    assert SUM in net.run(f"nc 10.0.2.2 {port} </dev/null | md5sum")
    received = int(net.run("cat /sys/class/net/eth0/statistics/rx_bytes").split()[0])
    assert received > len(DATA)


def test_megabytes_go_as_they_are(net):
    got, done = hashlib.md5(), threading.Event()

    def take(connection):
        while piece := connection.recv(1 << 16):
            got.update(piece)
        done.set()

    port = serve(take)
    net.run("head -c 8000000 /dev/urandom >/tmp/sent")
    here = net.run(f"nc 10.0.2.2 {port} </tmp/sent; md5sum </tmp/sent").split()[0]
    assert done.wait(machine.LIMIT) and got.hexdigest() == here


def test_who_does_not_answer_is_unreachable(net):
    assert "unreachable" in net.run("wget -O - http://10.0.2.77/")
    assert "10.0.2.77 dev eth0  used" in net.run("ip neigh") and "FAILED" in net.run("ip neigh show to 10.0.2.77")


def test_a_router_tells_the_addresses_of_ipv6(net):
    net.run("until ip -6 addr show dev eth0 | grep -q fec0; do sleep 0.1; done")
    addresses = net.run("ip -6 addr show dev eth0")
    assert "fe80::5054:ff:fe01:203/64 scope link" in addresses and "fec0::5054:ff:fe01:203/64 scope site dynamic" in addresses
    assert "default via fe80::2 dev eth0  metric 1024" in net.run("ip -6 route")
    assert "1 packets received" in net.run("ping -c 1 fec0::2")
    assert "fec0::2 dev eth0 lladdr 52:56:00:00:00:02" in net.run("ip -6 neigh")


def test_addresses_of_its_own_are_reached_without_the_card(net):
    before = net.run("cat /sys/class/net/eth0/statistics/tx_packets")
    assert "1 packets received" in net.run("ping -c 1 10.0.2.15")
    assert before == net.run("cat /sys/class/net/eth0/statistics/tx_packets")


def test_a_cable_that_is_pulled(net):
    carrier = "cat /sys/class/net/eth0/carrier"
    net.monitor.call("set_link", name="card", up=False)
    net.run(f"until [ $({carrier}) = 0 ]; do sleep 0.1; done")
    assert "NO-CARRIER" in net.run("ip link show eth0")
    net.monitor.call("set_link", name="card", up=True)
    net.run(f"until [ $({carrier}) = 1 ]; do sleep 0.1; done")
    assert "1 packets received" in net.run("ping -c 1 10.0.2.2")


def test_down_and_up_again(net):
    assert net.run("ip link set eth0 down; ip neigh; ip route").strip() == ""
    assert "1 packets received" in net.run("ip link set eth0 up; ip route add default via 10.0.2.2; ping -c 1 10.0.2.2")


def test_nothing_is_said_of_a_card_that_is_not_there():
    with machine.Machine() as m:
        log = m.shell()
        assert "eth0" not in log + m.run("ip link") and "virtio-net" not in log
