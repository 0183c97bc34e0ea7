"""A real WebSocket client and server, with a host between them.

    websocket.py HTTP HTTPS ADMIN TOKEN CA PID
"""

import asyncio
import json
import os
import signal
import ssl
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

MANY = 200
LARGE = 4 << 20

# The codes with which the server saw its connections end.
ends: asyncio.Queue[int] = asyncio.Queue()


async def answer(socket) -> None:
    """Sends back each message; closes with the code that one asks for."""
    try:
        async for message in socket:
            if isinstance(message, str) and message.startswith("close "):
                await socket.close(int(message.removeprefix("close ")), "as you wish")
            else:
                await socket.send(message)
    except ConnectionClosed:
        pass
    ends.put_nowait(socket.close_code)


def declare(admin: str, token: str, port: int) -> None:
    """Lets the server be an upstream of the host."""
    settings = {
        "targets": [f"http://127.0.0.1:{port}"],
        "routes": [{"path": "/chat/*", "target": "http", "access": "public"}],
        # The server shares its cores with the clients.
        "limits": {"connect": "10s"},
    }
    request = urllib.request.Request(
        f"{admin}/v1/upstreams/chat",
        json.dumps(settings).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(request).close()


async def talk(room: str, **how) -> None:
    """What clients do: messages of all kinds, pings, and a close from either end."""
    async with connect(room, subprotocols=["chat", "other"], max_size=None, **how) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        assert "permessage-deflate" in socket.response.headers["sec-websocket-extensions"]
        for message in ["", "hello", "grüße ✓", b"", bytes(range(256)), "x" * LARGE, os.urandom(LARGE)]:
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(part for part in ["in ", "three ", "parts"])
        assert await socket.recv() == "in three parts"
        await (await socket.ping())
        await socket.close(4001, "done")
    assert await ends.get() == 4001
    async with connect(room, subprotocols=["chat"], compression=None, **how) as socket:
        await socket.send("close 4002")
        try:
            await socket.recv()
            raise AssertionError("the server closes")
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4002, "as you wish"), closed
    assert await ends.get() == 4002


async def one_of_many(room: str, number: int, **how) -> None:
    async with connect(room, subprotocols=["chat"], **how) as socket:
        for turn in range(5):
            await socket.send(f"{number} {turn}")
            assert await socket.recv() == f"{number} {turn}"
    assert await ends.get() == 1000


async def drained(rooms: list[tuple[str, dict]], host: int) -> None:
    """A host that ends says so to all, at once, and to the server through them."""
    sockets = [
        await connect(room, subprotocols=["chat"], **how) for room, how in rooms for _ in range(10)
    ]
    for socket in sockets:
        await socket.send("still there?")
        await socket.recv()
    os.kill(host, signal.SIGTERM)
    for socket in sockets:
        try:
            await asyncio.wait_for(socket.recv(), 20)
            raise AssertionError("the host closes")
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 1001, closed
        assert await ends.get() == 1001


async def main(http: str, https: str, admin: str, token: str, ca: str, host: str) -> None:
    how = {"subprotocols": ["chat"], "max_size": None, "backlog": 2 * MANY}
    async with serve(answer, "127.0.0.1", 0, **how) as server:
        declare(admin, token, server.sockets[0].getsockname()[1])
        secure = {"ssl": ssl.create_default_context(cafile=ca)}
        rooms = [
            (http.replace("http:", "ws:") + "/chat/room", {}),
            (https.replace("https:", "wss:") + "/chat/room", secure),
        ]
        for room, how in rooms:
            await talk(room, **how)
            await asyncio.gather(*(one_of_many(room, number, **how) for number in range(MANY)))
        await drained(rooms, int(host))


asyncio.run(main(*sys.argv[1:]))
print("real WebSocket clients and servers talk, close and are drained, plain and over TLS")
