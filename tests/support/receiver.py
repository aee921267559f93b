"""An HTTP server that keeps what it is sent: stands in for an OTLP collector and for Sentry."""

from __future__ import annotations

import gzip
import importlib
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Received:
    """One POST, its body unpacked."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it was exported."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """What has come so far."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)

    @property
    def everything(self) -> bytes:
        """All bodies, to look for what must not be in them."""
        return b"\n".join(request.body for request in list(self.requests))

    def spans(self) -> list[ReceivedSpan]:
        """The spans of all OTLP requests."""
        found = []
        for request in list(self.requests):
            if request.path == "/v1/traces":
                message = ExportTraceServiceRequest.FromString(request.body)
                scopes = [scope for resource in message.resource_spans for scope in resource.scope_spans]
                found += [_span(span) for scope in scopes for span in scope.spans]
        return found

    def sentry_events(self) -> list[dict[str, Any]]:
        """The events of all envelopes."""
        found = []
        for request in list(self.requests):
            if request.path.endswith("/envelope/"):
                _, *items = request.body.split(b"\n")
                found += [json.loads(body) for head, body in itertools.pairwise(items) if _is_event(head)]
        return found


def unpacked(body: bytes, encoding: str | None) -> bytes:
    """Sentry's client packs with Brotli where that is installed."""
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "br":
        plain: bytes = importlib.import_module("brotli").decompress(body)
        return plain
    assert encoding is None, encoding
    return body


def _is_event(line: bytes) -> bool:
    return line.startswith(b"{") and json.loads(line).get("type") == "event" and b'"length"' in line


def _span(span: Any) -> ReceivedSpan:
    attributes = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
    return ReceivedSpan(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), attributes)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = unpacked(body, self.headers.get("Content-Encoding"))
            kept.requests.append(Received(self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
