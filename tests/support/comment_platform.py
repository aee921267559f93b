"""A stub of a platform on which a script posts comments, and the module of such a script."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar


class Platform(ThreadingHTTPServer):
    """A server that notes what is written (method, path, body) and the tokens of all requests by their path."""

    daemon_threads = True

    def __init__(self, handler: type[PlatformHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.written: list[tuple[str, str, str]] = []
        self.tokens: dict[str, str | None] = {}


class PlatformHandler(BaseHTTPRequestHandler):
    """Notes each comment. A subclass answers GET requests."""

    server: Platform

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.written.append((self.command, self.path, json.loads(body)["body"]))
        self.send(201, b"{}")

    def log_message(self, *args: Any) -> None:
        """Print nothing."""

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a response."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


PlatformT = TypeVar("PlatformT", bound=Platform)


@contextmanager
def served(platform: PlatformT) -> Iterator[PlatformT]:
    """Serve until the end of the block."""
    with platform:
        threading.Thread(target=platform.serve_forever, daemon=True).start()
        yield platform
        platform.shutdown()


def script(path: Path) -> ModuleType:
    """The module of a script that is not in a package."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name.strip('.')}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module
    spec.loader.exec_module(module)
    return module
