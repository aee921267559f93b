"""A small HTTP server with metrics that are as odd as a test wants."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MetricsServer(ThreadingHTTPServer):
    """Answers every path with `text` and `status`, and keeps the headers of the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        self.text = "pool 3\nloans_total 0\nwait_seconds_sum 0\nwait_seconds_count 0\n"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.connections = 0
        self.closes = False
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MetricsServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        server = self.server
        server.requests.append({name.lower(): value for name, value in self.headers.items()})
        server.paths.append(self.path)
        server.gate.wait(30)
        body = server.text.encode()
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # The client is not told.
        self.close_connection = server.closes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def metrics_server() -> Iterator[MetricsServer]:
    """A running server in this process."""
    server = MetricsServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
