"""A small HTTP server that is as slow, as wrong or as dead as a test wants, and counts what it was asked.

As a program, `python stub_server.py [--die-after N] [--never-ready] [--exit-at-once]`, it is a managed target. With
`--address` and `--port` other machines can reach it, and with `--stored FOLDER` it writes the bodies of PUT there.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECES, PIECE_S = 3, 0.05


class StubServer(ThreadingHTTPServer):
    """Answers every path with JSON: `/hang` never, `/slow` after `slow_s`, all others after `delay_s`.

    `/fail` and what begins so is answered with 500, `/stream` in PIECES pieces with PIECE_S before each, and `/endless`
    so too, but without an end. `/metrics` is in Prometheus' format. With request `freeze_at` it stands still for
    `freeze_s`. Bodies of PUT are in `stored`; a status in `put_statuses` answers one of them instead of 201, and 0
    never.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, address: str = "127.0.0.1") -> None:
        self.delay_s = 0.0
        self.slow_s = 2.5
        self.fail_every = 0
        self.die_after = 0
        self.freeze_at = 0
        self.freeze_s = 0.0
        self.frozen_until = 0.0
        self.received: Counter[str] = Counter()
        self.traceparents: list[str] = []
        self.authorizations: Counter[str] = Counter()
        self.stored: dict[str, bytes] = {}
        self.put_statuses: list[int] = []
        self.folder: Path | None = None
        self.released = threading.Event()
        self._count = itertools.count(1)
        self._connections: set[socket.socket] = set()
        super().__init__((address, port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def total(self) -> int:
        return sum(self.received.values())

    def next_number(self) -> int:
        return next(self._count)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self._connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""

    def die(self) -> None:
        """Stop listening and cut every connection, as a killed process does."""
        self.released.set()
        self.shutdown()
        self.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubServer

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        stub, number = self.server, self.server.next_number()
        stub.received[self.path] += 1
        stub.authorizations[self.headers["authorization"] or ""] += 1
        if traceparent := self.headers["traceparent"]:
            stub.traceparents.append(traceparent)
        if stub.die_after and number > stub.die_after:
            os._exit(3)
        if number == stub.freeze_at:
            stub.frozen_until = time.monotonic() + stub.freeze_s
        time.sleep(max(0.0, stub.frozen_until - time.monotonic()))
        if self.path == "/hang":
            stub.released.wait()
            self.close_connection = True
            return
        if self.path in {"/stream", "/endless"}:
            self.stream()
            return
        time.sleep(stub.slow_s if self.path == "/slow" else stub.delay_s)
        fails = self.path.startswith("/fail") or (stub.fail_every and number % stub.fail_every == 0)
        body = json.dumps({"status": "ok", "items": [1]}).encode()
        if self.path == "/metrics":
            body = f"stub_connections 3\nstub_requests_total {stub.total}\n".encode()
        head = f"HTTP/1.1 {'500 Oops' if fails else '200 OK'}\r\nContent-Type: application/json\r\n"
        self.wfile.write(
            head.encode() + f"Content-Length: {len(body)}\r\nX-Request-ID: {number}\r\n\r\n".encode() + body
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.do_GET()

    def do_PUT(self) -> None:
        stub = self.server
        stub.received[f"PUT {self.path}"] += 1
        stub.authorizations[self.headers["authorization"] or ""] += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        status = stub.put_statuses.pop(0) if stub.put_statuses else 201
        if status == 0:
            stub.released.wait()
        if status == 201:
            stub.stored[self.path] = body
            if stub.folder is not None:
                (stub.folder / self.path.rpartition("/")[2]).write_bytes(body)
        self.wfile.write(f"HTTP/1.1 {status} Told\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".encode())

    def stream(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(PIECES):
            time.sleep(PIECE_S)
            self.wfile.write(b"9\r\ndata: x\n\n\r\n")
        if self.path == "/endless":
            self.server.released.wait()
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def stub_server() -> Iterator[StubServer]:
    """A running server in this process."""
    server = StubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.die()
        thread.join(10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--exit-at-once", action="store_true")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stored", type=Path)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    options = parser.parse_args()
    print("warming up", flush=True)
    if options.exit_at_once:
        print("cannot open the database", flush=True)
        raise SystemExit(7)
    server = StubServer(options.port, options.address)
    server.folder = options.stored
    server.delay_s = options.delay_ms / 1000
    server.die_after = options.die_after
    if not options.never_ready:
        print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
