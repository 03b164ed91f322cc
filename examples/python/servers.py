# SPDX-License-Identifier: MIT
"""socketserver: TCP, UDP and UNIX servers, one request after the other, in threads, and in processes."""
import os
import socket
import socketserver
import threading


class Shout(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class ShoutOnce(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read().upper())


def stream_client(family, address, n):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.connect(address)
        with s.makefile("rwb") as f:
            for i in range(10):
                f.write(b"line %d of %d\n" % (i, n))
                f.flush()
                assert f.readline() == b"LINE %d OF %d\n" % (i, n)
        s.shutdown(socket.SHUT_WR)  # to close it is no end as long as servers that were forked meanwhile have it, too


def datagram_client(family, address, n):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(600)
        if family == socket.AF_UNIX:
            s.bind("")  # a name that the kernel picks
        s.sendto(b"datagram %d" % n, address)
        assert s.recv(100) == b"DATAGRAM %d" % n


def check(cls, address, handler, client):
    with cls(address, handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        clients = [threading.Thread(target=client, args=(server.address_family, server.server_address, n)) for n in range(8)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        server.shutdown()
        thread.join()
    if isinstance(address, str):
        os.unlink(address)


failed = []
threading.excepthook = lambda args: (failed.append(args), threading.__excepthook__(args))
for prefix in "", "Threading", "Forking":
    for kind, address, handler, client in (("TCPServer", ("127.0.0.1", 0), Shout, stream_client),
                                           ("UDPServer", ("127.0.0.1", 0), ShoutOnce, datagram_client),
                                           ("UnixStreamServer", "/srv/stream", Shout, stream_client),
                                           ("UnixDatagramServer", "/srv/dgram", ShoutOnce, datagram_client)):
        check(getattr(socketserver, prefix + kind), address, handler, client)
assert not failed
