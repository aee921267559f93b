"""A provider that speaks the chat completions stream and fails on command, on a loopback port."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.support.wire_server import abort

Behaviour = Literal[
    "answer", "slow_first", "thinks", "reset", "rate_limited", "server_error", "malformed", "slow_drip", "endless"
]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Upstream:
    """The server; `connections` are open, `requests` were taken."""

    port: int = 0
    behaviour: Behaviour = "answer"
    tokens: int = 5
    requests: int = 0
    connections: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    transports: list[asyncio.WriteTransport] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.transports.append(writer.transport)
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            await reader.readexactly(length)
            self.requests += 1
            answering = asyncio.create_task(self.answer(writer))
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        except (asyncio.IncompleteReadError, OSError):
            pass  # a client that went away is what half of the tests are about
        finally:
            self.connections -= 1
            self.tasks.discard(task)
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        match self.behaviour:
            case "slow_first":
                await asyncio.sleep(60)
            case "rate_limited":
                writer.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")
            case "server_error":
                body = b'{"error": {"message": "secret upstream text"}}'
                writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            case _:
                await self.stream(writer)
        await writer.drain()

    async def stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for number in range(30 if self.behaviour == "thinks" else 0):
            thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}
            writer.write(chunk(thought) if number % 2 else b": PROCESSING\n\n")
            await writer.drain()
            await asyncio.sleep(0.05)
        count = 1_000_000 if self.behaviour == "endless" else self.tokens
        for number in range(count):
            if self.behaviour == "slow_drip" and number:
                await asyncio.sleep(60)
            if self.behaviour == "endless":
                await asyncio.sleep(0.02)
            if number == 2 and self.behaviour == "malformed":
                writer.write(b"data: {this is no json\n\n")
            if number == 2 and self.behaviour == "reset":
                await asyncio.sleep(0.1)
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            writer.write(chunk({"choices": [{"index": 0, "delta": {"content": f"t{number} "}}]}))
            await writer.drain()
        writer.write(chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        usage = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": count + 7}
        writer.write(chunk({"choices": [], "usage": usage}) + b"data: [DONE]\n\n")


def chunk(data: dict[str, object]) -> bytes:
    whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **data}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """The server, stopped at the end."""
    up = Upstream()
    server = await asyncio.start_server(up.serve, "127.0.0.1", 0)
    up.port = server.sockets[0].getsockname()[1]
    try:
        yield up
    finally:
        server.close()
        await asyncio.sleep(0)  # whoever was accepted just now has a task
        for task in list(up.tasks):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*up.tasks, return_exceptions=True)
        await abort(up.transports)
