# SPDX-License-Identifier: MIT
"""`drupe run --network user` and `--publish`: servers on this side's loopback, and in the machine."""
import hashlib
import os
import re
import socket
import subprocess
import threading

import pytest

from conftest import DRUPE, LIMIT

DATA = os.urandom(1 << 16) * 256  # 16 MiB


def serve(handler, count=1, family=socket.AF_INET):
    """A server on the loopback that calls handler(connection) for `count` connections, each in a thread; its port."""
    listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family, backlog=count)

    def one(connection):
        connection.settimeout(LIMIT)
        with connection:
            handler(connection)

    def run():
        with listener:
            for _ in range(count):
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


class Machine:
    """A script in a machine with ports published; it has said "ready" when this comes back."""

    def __init__(self, *arguments, binary=False):
        self.child = subprocess.Popen([DRUPE, "run", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.child.stdout.readline() == b"ready\n", self.child.stderr.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()

    def port(self):
        """The one that was picked."""
        return int(re.search(r"is 127\.0\.0\.1:(\d+) here", self.child.stderr.readline().decode()).group(1))


def receive(connection):
    got = b""
    while piece := connection.recv(1 << 16):
        got += piece
    return got


def test_none_by_default(run):
    done = run("sh", "-c", "ls /sys/class/net; cat /etc/resolv.conf")
    assert done.text == "lo\n" and "resolv.conf" in done.err
    assert run("--network", "none", "ls", "/sys/class/net").text == "lo\n"


def test_the_address_is_there_when_the_program_starts(run):
    done = run("--network", "user", "sh", "-c", "ip addr show dev eth0; ip route; ip -6 route; cat /etc/resolv.conf; hostname; ping -c 1 10.0.2.2")
    assert done.status == 0, done.err
    assert "inet 10.0.2.15/24 brd 10.0.2.255" in done.text and "default via 10.0.2.2 dev eth0" in done.text
    assert "inet6 fec0::5054:ff:fe12:3456/64" in done.text and "default via fe80::2 dev eth0" in done.text
    assert "nameserver 10.0.2.3\n" in done.text and "\ndrupe\n" in done.text


def test_a_large_transfer_each_way(run):
    got = []
    come, go = serve(lambda c: c.sendall(DATA)), serve(lambda c: got.append(receive(c)))
    done = run("--network", "user", "sh", "-c", f"nc 10.0.2.2 {come} </dev/null >/tmp/x; md5sum </tmp/x; nc 10.0.2.2 {go} </tmp/x")
    assert done.text.split()[0] == hashlib.md5(DATA).hexdigest(), done.err
    assert got == [DATA]


def test_ipv6_to_the_hosts_loopback(run):
    try:
        port = serve(lambda c: c.sendall(b"by six"), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert run("--network", "user", "nc", "fec0::2", port).text == "by six"


def test_a_hundred_connections_at_once(run):
    both = threading.Barrier(100, timeout=LIMIT)

    def answer(connection):
        number = connection.recv(16)
        both.wait()  # all of them are there
        connection.sendall(number)

    port = serve(answer, 100)
    script = f"for i in $(seq 100); do (echo $i | nc 10.0.2.2 {port} >/tmp/$i) & done; wait; cat /tmp/[0-9]* | sort -n | md5sum; seq 100 | md5sum"
    lines = run("--network", "user", "sh", "-c", script).text.splitlines()
    assert lines[0] == lines[1]


def test_a_server_that_goes_away_in_mid_transfer(run):
    def leave(connection):
        connection.sendall(b"x" * 100000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset

    port = serve(leave)
    done = run("--network", "user", "sh", "-c", f"wget -q -O /dev/null http://10.0.2.2:{port}/ || echo failed; nc 10.0.2.2 {port} </dev/null && echo || echo refused")
    assert "failed\n" in done.text and done.status == 0


def test_a_published_server(run):
    with Machine("-p", "0:80", "sh", "-c", "mkdir /srv; echo from the guest >/srv/a; head -c 4000000 /dev/urandom >/srv/b; httpd -p 80 -h /srv; "
                 "echo ready; md5sum /srv/b; sleep 1000") as m:
        port = m.port()
        here = m.child.stdout.readline().split()[0].decode()

        def get(path):
            with socket.create_connection(("127.0.0.1", port), LIMIT) as c:
                c.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                return receive(c).split(b"\r\n\r\n", 1)[1]

        assert get("/a") == b"from the guest\n"
        assert hashlib.md5(get("/b")).hexdigest() == here


def test_a_published_port_of_udp():
    with Machine("-p", "127.0.0.1:0:5000/udp", "sh", "-c", "(sleep 0.2; echo ready) & exec nc -u -l -p 5000 -e cat") as m:
        port = m.port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            for _ in range(40):  # it may be lost
                s.sendto(b"over and back", ("127.0.0.1", port))
                try:
                    assert s.recv(100) == b"over and back"
                    return
                except socket.timeout:
                    pass
    raise AssertionError("no answer")


def test_a_port_that_is_taken(run):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        done = run("-p", f"127.0.0.1:{port}:80", "true")
    assert done.status == 125 and done.err.count("\n") == 1
    assert f"port {port} is taken" in done.err and "--publish 127.0.0.1:0:80" in done.err


@pytest.mark.parametrize("second", ["18081:81", "127.0.0.1:18081:80"])
def test_a_port_that_is_published_twice(run, second):
    done = run("-p", "18081:80", "-p", second, "true")
    assert done.status == 125 and done.err.count("\n") == 1 and f"--publish {second}: port 18081" in done.err
    assert run("--dry-run", "-p", "18081:80", "-p", "18081:80/udp", "-p", "0:80", "-p", "0:81", "true").status == 0


@pytest.mark.parametrize("what", ["x:80", "80:", "1:2:3:4", "80/sctp", "70000:80", "127.0.0.1:1:0", "", "::1:80:80"])
def test_what_cannot_be_published(run, what):
    done = run("-p", what, "true")
    assert done.status == 125 and done.err.startswith(f"drupe: --publish {what}")


def test_networks_there_are_not(run):
    done = run("--network", "bridge", "true")
    assert done.status == 125 and "none or user" in done.err
    assert run("--network", "none", "-p", "80", "true").status == 125


def test_a_server_of_addresses_that_does_not_answer(run, tmp_path):
    """QEMU with a network on which nobody is."""
    qemu = tmp_path / "qemu"
    qemu.write_text('#!/bin/sh\nfor a; do shift; case $a in user,id=net*) a=hubport,id=net,hubid=0;; esac; set -- "$@" "$a"; done\n'
                    'exec qemu-system-riscv64 "$@"\n')
    qemu.chmod(0o755)
    done = run("--qemu", qemu, "--network", "user", "true")
    assert done.status == 125 and "no address" in done.err and "10 seconds" in done.err


FAILING = """
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in far = {AF_INET, htons(80), {inet_addr("1.2.3.4")}}, near = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(near);
    for (int n = 0; n < 4; n++) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        for (int i = 0; i < n; i++)
            if (connect(s, (void *)&far, sizeof(far)) != -1)
                return 1;
        near.sin_port = 0;
        if (bind(s, (void *)&near, length) || listen(s, 1) || getsockname(s, (void *)&near, &length))
            return 2;
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, (void *)&near, length))
            return 3;
        close(accept(s, NULL, NULL)), close(c), close(s);
    }
    puts("alive");
}
"""


def test_a_connection_that_cannot_begin_leaves_nothing_behind(run, compiled):
    """The socket had a port by then; it can be used for another attempt, or for something else."""
    program = compiled(FAILING)
    done = run("--network", "user", "--file", f"{program}:/failing", "sh", "-c", "ip route add default dev eth0; ip addr flush dev eth0; ip route add default dev eth0; /failing")
    assert done.text.endswith("alive\n"), (done.status, done.text, done.err)
