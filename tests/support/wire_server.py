"""An HTTP server that plays scripts: each byte and pause of an answer is the test's, and so is how a connection ends.

async with wire_server(Script(pieces=[b"data: 1\\n\\n", 0.5]), Script(status=503)) as server:
    ...  # the first call gets the first script, further calls the last one
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

SSE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Script:
    """One answer. `pieces` are sent as chunks, numbers among them are pauses in seconds.

    end: `finish` closes the answer as it should be; `reset` the connection, hard; `cut` the connection, politely, but
    without the end of the answer; `hang` nothing, ever.
    """

    pieces: Sequence[bytes | float] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = SSE
    end: Literal["finish", "reset", "cut", "hang"] = "finish"


@dataclass(frozen=True, slots=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(slots=True)
class WireServer:
    """A running server and what it saw."""

    scripts: Sequence[Script]
    port: int = 0
    connections: int = 0
    open: int = 0
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while (received := await _receive(reader)) is not None:
                self.requests.append(received)
                script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
                if not await _play(script, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def wire_server(*scripts: Script) -> AsyncIterator[WireServer]:
    """A server on a free loopback port."""
    state = WireServer(scripts)
    tasks: set[asyncio.Task[None]] = set()
    transports: list[asyncio.WriteTransport] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transports.append(writer.transport)
        task = asyncio.ensure_future(state.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1000)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await abort(transports)


async def abort(transports: Iterable[asyncio.WriteTransport]) -> None:
    """Close connections whatever is still to be sent: one that is left open fails a later test of the process."""
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


async def _play(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer; whether the connection can take another request."""
    headers = {"Content-Type": script.content_type, "Transfer-Encoding": "chunked"} | script.headers
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {script.status} X\r\n{head}\r\n".encode())
    for piece in script.pieces:
        if isinstance(piece, bytes):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        elif await _gone(reader, piece):
            return False
    if script.end == "hang":
        await _gone(reader, None)
    if script.end == "reset":
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if script.end != "finish":
        return False
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _gone(reader: asyncio.StreamReader, seconds: float | None) -> bool:
    """Pause; whether the client closed the connection meanwhile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await reader.read(1) == b""
    return False
