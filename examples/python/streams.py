# SPDX-License-Identifier: MIT
"""asyncio over UNIX sockets, TCP and UDP: servers, clients that close their half, time-outs, sendfile, children, threads, signals."""
import asyncio
import os
import signal
import socket
import tempfile

NAME = "/srv/asyncio.sock"


async def serve(reader, writer):
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def ask(opened, text):
    reader, writer = await opened
    writer.write(text)
    await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def streams():
    texts = [b"text %d " % i * 20000 for i in range(8)]
    wanted = [text.upper() for text in texts]
    server = await asyncio.start_unix_server(serve, NAME)
    assert await asyncio.gather(*(ask(asyncio.open_unix_connection(NAME), text) for text in texts)) == wanted
    server.close()
    for host in "127.0.0.1", "::1":
        server = await asyncio.start_server(serve, host, 0)
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.gather(*(ask(asyncio.open_connection(host, port), text) for text in texts)) == wanted
        many = await asyncio.gather(*(ask(asyncio.open_connection(host, port), b"x%d" % i) for i in range(300)))
        assert many == [b"X%d" % i for i in range(300)]
        server.close()
        await server.wait_closed()
        try:
            await asyncio.open_connection(host, port)
            assert False, "somebody still listens"
        except ConnectionRefusedError:
            pass


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data[::-1], address)


class Ask(asyncio.DatagramProtocol):
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, address):
        self.answer.set_result(data)


async def datagrams():
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    client, protocol = await loop.create_datagram_endpoint(Ask, remote_addr=server.get_extra_info("sockname"))
    client.sendto(b"abc")
    assert await asyncio.wait_for(protocol.answer, 600) == b"cba"
    server.close()
    client.close()


async def files():
    loop = asyncio.get_running_loop()
    a, b = socket.socketpair()
    with tempfile.TemporaryFile() as f:
        f.write(bytes(range(256)) * 8000)
        f.flush()
        # A writer that nobody has any more closes its socket, a's too.
        (reader, other), (_, writer) = await asyncio.open_connection(sock=a), await asyncio.open_connection(sock=b)
        sent = asyncio.create_task(loop.sendfile(writer.transport, f, fallback=False))
        assert await reader.readexactly(2048000) == bytes(range(256)) * 8000 and await sent == 2048000
        writer.close()
        other.close()


async def children():
    child = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert (await child.communicate(b"through a child"))[0] == b"through a child"
    slow = await asyncio.create_subprocess_exec("/bin/sleep", "1000")
    try:
        await asyncio.wait_for(slow.wait(), 0.05)
        assert False, "no time-out"
    except TimeoutError:
        slow.kill()
    assert await slow.wait() == -signal.SIGKILL
    caught = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, caught.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await caught.wait()
    assert await asyncio.to_thread(sum, range(1000)) == 499500


async def main():
    await streams()
    await datagrams()
    await files()
    await children()


asyncio.run(main())
