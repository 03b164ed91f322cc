# SPDX-License-Identifier: MIT
"""asyncio over UNIX sockets: a server, a client that closes its half, a child's output."""
import asyncio
import os

NAME = "/tmp/asyncio.sock"


async def serve(reader, writer):
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def client(text):
    reader, writer = await asyncio.open_unix_connection(NAME)
    writer.write(text)
    await writer.drain()
    writer.write_eof()
    return await reader.read()


async def main():
    server = await asyncio.start_unix_server(serve, NAME)
    texts = [b"text %d " % i * 20000 for i in range(8)]
    assert await asyncio.gather(*map(client, texts)) == [text.upper() for text in texts]
    server.close()
    assert not os.path.exists(NAME)
    child = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert (await child.communicate(b"through a child"))[0] == b"through a child"
    print("all " "is well")


asyncio.run(main())
