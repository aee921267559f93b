"""Minimal readers of token streams for the benchmarks, so the server is the bottleneck."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import cast

WAKE_EVERY_S = 0.01
TOKEN, END, PLANNED = b'"event":"token"', b'"event":"end"', b'"planned_ms":'
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Seen:
    """Totals of all readers. Times are in milliseconds."""

    tokens: int = 0
    all_tokens: int = 0
    """Tokens of the whole run, including the time before and after the measurement."""
    streams: int = 0
    ttft_overheads_ms: list[float] = field(default_factory=list)
    itl_overheads_ms: list[float] = field(default_factory=list)
    own_delays_ms: list[float] = field(default_factory=list)
    """Delays of the client's own timer, which add to the measured times."""


class Reader(asyncio.Protocol):
    """Reads one stream after another on one connection until `goes_on` returns False."""

    def __init__(self, path: str, seen: Seen, goes_on: Callable[[], bool], numbers: count[int]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._path, self._seen, self._goes_on, self._numbers = path, seen, goes_on, numbers
        self._rest = b""
        self._is_over = False
        self._sent_s = 0.0
        self._before: tuple[float, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the stream broke off"))

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        if self._before is None and not self._rest and not data.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(data[:400].decode(errors="replace")))
            self._transport.abort()
            return
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            if TOKEN in block:
                self._take(block, (now_s - self._sent_s) * 1000)
            elif END in block:
                self._is_over = True
        if self._is_over and self._rest.endswith(LAST_CHUNK):
            self._end()

    def _ask(self) -> None:
        self._rest, self._is_over, self._before = b"", False, None
        body = json.dumps({"question": f"How does number {next(self._numbers)} work?"}).encode()
        head = f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._sent_s = time.perf_counter()
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def _take(self, block: bytes, at_ms: float) -> None:
        self._seen.tokens += 1
        self._seen.all_tokens += 1
        start = block.find(PLANNED)
        if start < 0:
            return
        planned_ms = float(block[start + len(PLANNED) : block.index(b"}", start)])
        if self._before is None:
            self._seen.ttft_overheads_ms.append(at_ms - planned_ms)
        else:
            self._seen.itl_overheads_ms.append(at_ms - self._before[0] - (planned_ms - self._before[1]))
        self._before = at_ms, planned_ms

    def _end(self) -> None:
        self._seen.streams += 1
        if self._goes_on():
            self._ask()
        else:
            self.done.set_result(None)
            self._transport.close()


async def read_streams(port: int, path: str, readers: int, *, ramp_s: float, hold_s: float) -> Seen:
    """Read streams with `readers` readers for `ramp_s + hold_s`, and return their totals after the ramp.

    The readers start one by one during the ramp. At the end, each reads its current stream to its end.
    """
    loop = asyncio.get_running_loop()
    seen, numbers = Seen(), count(time.monotonic_ns())
    until_s = loop.time() + ramp_s + hold_s
    running = []
    for _ in range(readers):
        _, reader = await loop.create_connection(
            lambda: Reader(path, seen, lambda: loop.time() < until_s, numbers), "127.0.0.1", port
        )
        running.append(reader.done)
        await asyncio.sleep(ramp_s / readers)
    seen.tokens = seen.streams = 0
    for figures in (seen.ttft_overheads_ms, seen.itl_overheads_ms):
        figures.clear()
    while (left_s := until_s - loop.time()) > 0:
        asleep_s = time.perf_counter()
        await asyncio.sleep(min(WAKE_EVERY_S, left_s))
        if left_s > WAKE_EVERY_S:
            seen.own_delays_ms.append((time.perf_counter() - asleep_s - WAKE_EVERY_S) * 1000)
    copies = [[*values] for values in (seen.ttft_overheads_ms, seen.itl_overheads_ms, seen.own_delays_ms)]
    tokens, streams = seen.tokens, seen.streams
    await asyncio.gather(*running)
    return Seen(tokens, seen.all_tokens, streams, *copies)
