"""Load of the benchmarks: a minimal client that repeats one request over 16 connections."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import psutil
import uvloop

from tests.support.service import ApiProcess

CONNECTIONS = 16


async def one_connection(port: int, request: bytes, until: float) -> int:
    """Repeat `request` until `until`, and return the number of complete responses. Each must have status 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    count = 0
    try:
        while loop.time() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            start = head.lower().index(b"content-length: ") + 16
            await reader.readexactly(int(head[start : head.index(b"\r", start)]))
            count += 1
    finally:
        writer.close()
    return count


async def throughput(
    port: int,
    path: str,
    slice_s: float,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> float:
    """Return the responses per second over all connections. `body` is JSON, if there is one."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    until = asyncio.get_running_loop().time() + slice_s
    counts = await asyncio.gather(*(one_connection(port, request, until) for _ in range(CONNECTIONS)))
    return sum(counts) / slice_s


class Rate(NamedTuple):
    """Responses per second, and per CPU second of the server, which other load on the machine affects less."""

    per_s: float
    per_cpu_s: float


def rate(api: ApiProcess, path: str, slice_s: float) -> Rate:
    """Measure the rate of one server."""
    server = psutil.Process(api.pid)
    before = server.cpu_times()
    per_s = uvloop.run(throughput(port_of(api.url), path, slice_s))
    after = server.cpu_times()
    return Rate(per_s, per_s * slice_s / (after.user + after.system - before.user - before.system))


def port_of(url: str) -> int:
    """Return the port of a URL."""
    return int(url.rpartition(":")[2])
