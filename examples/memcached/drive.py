# SPDX-License-Identifier: MIT
"""Many clients at once over TCP, large values, and the UDP protocol."""
import socket
import struct
import threading


def recv_until(s, end):
    data = b""
    while not data.endswith(end):
        data += s.recv(65536) or exit("the server closed")
    return data


def client(n, wrong):
    with socket.create_connection(("127.0.0.1", 11211)) as s:
        for i in range(200):
            value = b"%d-%d-" % (n, i) * (1 + 50 * (i % 40))
            s.sendall(b"set c%d 0 0 %d\r\n%s\r\n" % (n, len(value), value))
            if recv_until(s, b"\r\n") != b"STORED\r\n":
                wrong.append((n, i, "set"))
            s.sendall(b"get c%d\r\n" % n)
            if value not in recv_until(s, b"END\r\n"):
                wrong.append((n, i, "get"))


wrong = []
threads = [threading.Thread(target=client, args=(n, wrong)) for n in range(20)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not wrong, wrong[:5]

with socket.create_connection(("127.0.0.1", 11211)) as s:
    big = bytes(range(256)) * 2000
    s.sendall(b"set big 0 0 %d\r\n%s\r\n" % (len(big), big))
    assert recv_until(s, b"\r\n") == b"STORED\r\n"
    s.sendall(b"get big\r\n")
    assert big in recv_until(s, b"END\r\n")

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(300)
    s.connect(("127.0.0.1", 11211))
    s.send(struct.pack(">HHHH", 7, 0, 1, 0) + b"get c3\r\n")
    answer = s.recv(65536)
    assert answer[:2] == b"\0\7" and b"VALUE c3" in answer, answer
