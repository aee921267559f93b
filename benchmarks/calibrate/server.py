"""The stub server: answers when its distribution says, and keeps for each request what it really did.

    python -m benchmarks.calibrate.server constant

It prints its URL. GET /answer is answered as the distribution says; its time runs from the moment the server reads
the request to the moment the answer is handed to the kernel, on the monotonic clock. Every other path is answered at
once: /warm-up opens a connection, and /truth gives the record. All answers but the last are counted by path.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator

from benchmarks.calibrate.answers import DISTRIBUTIONS, Answer, Distribution
from loadgate.recorder import Outcome

_HEAD_END = b"\r\n\r\n"
_BODY = b"x" * 100


def _response(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s" % (status, len(body), body)


_RESPONSES = {
    Outcome.SUCCESS: _response(b"200 OK", _BODY),
    Outcome.FAILURE: _response(b"503 Service Unavailable", _BODY),
}


class Stub:
    """The answers still to come, and the record of those given: times in ms by outcome, and counts by path."""

    def __init__(self, distribution: Distribution) -> None:
        self._answers: Iterator[Answer] = distribution.stream()
        self._freeze = distribution.freeze
        self._first_s: float | None = None
        self.times_ms: dict[Outcome, list[float]] = {outcome: [] for outcome in Outcome}
        self.counts: Counter[str] = Counter()

    def next_answer(self, received_s: float) -> tuple[float, Outcome]:
        """When the request that was received now is to be answered, and how."""
        if self._first_s is None:
            self._first_s = received_s
        answer = next(self._answers)
        due_s = received_s + answer.after_ms / 1000
        if self._freeze is not None:
            due_s = self._first_s + self._freeze.due_s(due_s - self._first_s)
        return due_s, answer.outcome

    def truth(self) -> bytes:
        return json.dumps({"times_ms": self.times_ms, "counts": self.counts}).encode()


class Connection(asyncio.Protocol):
    """One connection; a client sends its next request only after the answer to the last."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_s = time.monotonic()
        self._received += data
        if not self._received.endswith(_HEAD_END):
            return
        request, self._received = self._received, b""
        path = request.split(b" ", 2)[1].decode()
        if path == "/truth":
            self._transport.write(_response(b"200 OK", self._stub.truth()))
            return
        self._stub.counts[path] += 1
        if path != "/answer":
            self._transport.write(_RESPONSES[Outcome.SUCCESS])
            return
        due_s, outcome = self._stub.next_answer(now_s)
        # asyncio's loop counts on the same clock.
        self._loop.call_at(due_s, self._answer, now_s, outcome)

    def _answer(self, received_s: float, outcome: Outcome) -> None:
        if self._transport.is_closing():
            return
        self._stub.times_ms[outcome].append((time.monotonic() - received_s) * 1000)
        self._transport.write(_RESPONSES[outcome])


async def serve(distribution: Distribution) -> None:
    """Serve on a free loopback port until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    stub = Stub(distribution)
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    # A collection in the middle would be part of the truth, but not of the distribution.
    gc.collect()
    gc.disable()
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(DISTRIBUTIONS[sys.argv[1]]))
