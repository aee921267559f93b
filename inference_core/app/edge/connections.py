"""Limits of connections that an ASGI application cannot enforce: heads, idle time, pipelining, descriptors.

uvicorn has none of these limits. Its protocol class is replaced by the one below when the application starts, so the
limits apply to `uvicorn`, `fastapi run`, `fastapi dev`, `inference-core up` and every other way to start it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Any, NamedTuple

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from inference_core.app.edge.drain import running_server
from inference_core.app.edge.unread import UnreadAnswers
from inference_core.core.addresses import TrustedProxies, limited_address
from inference_core.core.background import run_until_cancelled
from inference_core.core.loggers import get_logger
from inference_core.core.problems import PROBLEM_JSON, Problem
from inference_core.core.settings import Settings
from inference_core.core.telemetry.metrics import Metrics

log = get_logger(__name__)

MAX_HEAD_BYTES = 64 * 1024
MAX_TARGET_BYTES = 8 * 1024
MAX_HEADERS = 100
HEAD_WITHIN_S = 10.0
SWEEP_EVERY_S = 0.5
# Bytes that are parsed at once. The rest of a piece is also parsed if a pipelined request begins in it.
PIECE_BYTES = 4 * 1024
# Bytes that are parsed in one turn of the event loop. Chunks of one byte take the most time, about 1 us each.
TURN_BYTES = 16 * 1024
# The headers that determine the end of a request.
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
# Descriptors that are reserved for databases, Redis, providers and files; at most a quarter of the limit.
RESERVED_DESCRIPTORS = 64


class Refusal(NamedTuple):
    """The reason why a request is refused."""

    status: HTTPStatus
    code: str
    detail: str


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", "The request is not well-formed HTTP.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_large",
    f"The head of the request is larger than {MAX_HEAD_BYTES} bytes, or has more than {MAX_HEADERS} headers.",
)
TARGET_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, "target_too_long", f"The request target is longer than {MAX_TARGET_BYTES} bytes."
)
HEAD_TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "head_too_slow", f"The head of the request did not arrive within {HEAD_WITHIN_S:.0f} s."
)


@dataclass(slots=True)
class Connections:
    """The open connections of a server.

    `waiting` contains the connections without a complete request head, and the time since when (loop clock), oldest
    first. It does not contain connections that are kept alive after a response.
    """

    count_refused: Callable[[HTTPStatus], None]
    max_per_address: int = 0
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    unread: UnreadAnswers = field(default_factory=UnreadAnswers)
    waiting: dict[GuardedProtocol, float] = field(default_factory=dict)
    per_address: Counter[str] = field(default_factory=Counter)

    def enter(self, connection: GuardedProtocol) -> None:
        """Admit a new connection. If few descriptors are left, close a waiting or idle connection."""
        self.waiting[connection] = connection.loop.time()
        if self.max_per_address and connection.client and connection.client[0] not in self.proxies:
            connection.address = limited_address(connection.client[0])
            self.per_address[connection.address] += 1
            if self.per_address[connection.address] > self.max_per_address:
                connection.transport.abort()
                return
        most = most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        if most is not None and len(connection.connections) > most:
            self._make_room(connection)

    def _make_room(self, newcomer: GuardedProtocol) -> None:
        # First a connection that never sent a request, then one that is kept alive between requests.
        for connection in chain(self.waiting, newcomer.connections):
            if connection is not newcomer and isinstance(connection, GuardedProtocol) and connection.is_idle:
                connection.transport.abort()
                return

    def leave(self, connection: GuardedProtocol) -> None:
        """Remove a connection."""
        self.waiting.pop(connection, None)
        if connection.address:
            self.per_address[connection.address] -= 1
            if not self.per_address[connection.address]:
                del self.per_address[connection.address]
            connection.address = ""

    async def sweep(self) -> None:
        """Close connections that have waited too long."""
        now_s = asyncio.get_running_loop().time()
        self.unread.sweep(now_s)
        for connection, since_s in list(self.waiting.items()):
            if now_s - since_s < HEAD_WITHIN_S:
                break
            if connection.is_serving:
                # This connection waits for its response, and its request has arrived.
                del self.waiting[connection]
                self.waiting[connection] = now_s
            else:
                connection.refuse(HEAD_TOO_SLOW)


class GuardedProtocol(HttpToolsProtocol):
    """The protocol of uvicorn with limits of its input and its parsing time."""

    def __init__(self, guard: Connections, **server: Any) -> None:
        super().__init__(**server)
        self.guard = guard
        # No route is a WebSocket, and a handshake would pass the connection to a protocol without these limits.
        self.ws_protocol_class = None
        self.address = ""
        self.backlog = bytearray()
        # The bytes that are being parsed, and the framing of the body of a request that offers another protocol.
        self.piece = b""
        self.framing = b""
        # Bytes since the last result of the parser: a head, a part of a body, or the end of a message.
        self.unused_bytes = 0
        self.refusal = MALFORMED
        # uvicorn's `cycle` is the request that was parsed last. It may still wait for earlier ones.
        self.running: RequestResponseCycle | None = None
        self._is_scheduled = False

    @property
    def is_serving(self) -> bool:
        """Return whether a response is in progress."""
        return self.running is not None and not self.running.response_complete

    @property
    def is_idle(self) -> bool:
        """Return whether the connection is open without a response in progress."""
        return not self.is_serving and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Handle the start of a connection."""
        super().connection_made(transport)
        self.flow = BacklogFlow(transport, self)
        self.guard.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of a connection."""
        self.guard.leave(self)
        self.guard.unread.forget(self.transport)
        self.backlog.clear()
        self._tell_gone()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Pause a response that the client does not read."""
        self.guard.unread.note(self.transport)
        super().pause_writing()

    def on_response_complete(self) -> None:
        """End a response, which the client may not have read yet."""
        self.guard.unread.note(self.transport)
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _tell_gone(self) -> None:
        """Tell the application that the client will not read the response."""
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse the received data, at most as much as one turn of the event loop allows."""
        if len(data) <= PIECE_BYTES and not self.backlog:
            self._parse(data)
        else:
            self.backlog += data
            self.parse_backlog()

    def parse_backlog(self) -> None:
        """Parse the remaining data. The connection is not read meanwhile."""
        self._is_scheduled = False
        for _ in range(TURN_BYTES // PIECE_BYTES):
            if self.flow.read_paused or self.transport.is_closing() or not self.backlog:
                break
            piece = bytes(self.backlog[:PIECE_BYTES])
            del self.backlog[:PIECE_BYTES]
            self._parse(piece)
        if self.transport.is_closing():
            self.backlog.clear()
        elif self.backlog:
            self.transport.pause_reading()
            if not self.flow.read_paused:
                self.schedule()
        elif not self.flow.read_paused:
            self.transport.resume_reading()

    def schedule(self) -> None:
        """Continue in the next turn of the event loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_soon(self.parse_backlog)

    def _parse(self, data: bytes) -> None:
        self.unused_bytes += len(data)
        self.piece = data
        super().data_received(data)
        if self.unused_bytes:
            if self.unused_bytes > MAX_HEAD_BYTES:
                self.refuse(HEAD_TOO_LARGE)
            elif self not in self.guard.waiting and not self.transport.is_closing():
                self.guard.waiting[self] = self.loop.time()

    def on_headers_complete(self) -> None:
        """Check a request head, and start to serve the request."""
        if len(self.url) > MAX_TARGET_BYTES:
            self._stop_parsing(TARGET_TOO_LONG)
        may_be_large = self.unused_bytes > MAX_HEAD_BYTES - PIECE_BYTES
        if len(self.headers) > MAX_HEADERS or (may_be_large and self._head_bytes() > MAX_HEAD_BYTES):
            self._stop_parsing(HEAD_TOO_LARGE)
        self.unused_bytes = 0
        self.guard.waiting.pop(self, None)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.framing = b"".join(b"%b: %b\r\n" % header for header in self.headers if header[0] in FRAMING)
        # Trailers look like headers, but are not part of the checked head.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Handle a part of a body."""
        self.unused_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request. After a request that offers another protocol, continue with a new parser."""
        self.unused_bytes = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _stop_parsing(self, refusal: Refusal) -> None:
        self.refusal = refusal
        raise ValueError(refusal.code)  # the parser converts any exception to its own error, which the server refuses

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore the offered protocol (RFC 9110, 7.8).

        uvicorn calls this. Its parser stops after such a head, and the body and all following data would be lost.
        """
        stop = sys.exception()
        assert isinstance(stop, HttpParserUpgrade)  # noqa: S101  # whose argument is where the parser stopped
        rest = self.piece = self.piece[stop.args[0] :]
        following = Following(self)
        self.parser = HttpRequestParser(following)
        super().data_received(b"POST / HTTP/1.1\r\n" + self.framing + b"\r\n")
        following.is_behind_head = True
        if rest and not self.transport.is_closing():
            super().data_received(rest)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's signature
        """Refuse a request that cannot be parsed."""
        self.refuse(self.refusal)

    def refuse(self, refusal: Refusal) -> None:
        """Close the connection. Send the reason if a request has begun and no response is in progress."""
        self.guard.leave(self)
        self.backlog.clear()
        if self.transport.is_closing():
            return
        # Within a response, the reason would look like a part of the response.
        is_answering = self.pipeline or (self.is_serving and self.running is not None and self.running.response_started)
        if not is_answering and (self.unused_bytes or refusal is not HEAD_TOO_SLOW):
            self.guard.count_refused(refusal.status)
            self.transport.write(_head_and_body(refusal))
        self._tell_gone()
        self.transport.close()


class Following:
    """The callbacks of a parser that gets an already parsed head again, to know the framing of the body."""

    def __init__(self, connection: GuardedProtocol) -> None:
        self._connection = connection
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete
        self.is_behind_head = False

    def on_message_begin(self) -> None:
        """Handle the start of the next request."""
        if self.is_behind_head:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Handle a part of the request target."""
        if self.is_behind_head:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header."""
        if self.is_behind_head:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        """Handle the end of the head."""
        if self.is_behind_head:
            self._connection.on_headers_complete()


class BacklogFlow(FlowControl):
    """Flow control of a connection that can have read more data than it has parsed."""

    def __init__(self, transport: asyncio.Transport, connection: GuardedProtocol) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        """Resume, first with the data that was already read."""
        if self.read_paused and self._connection.backlog:
            self.read_paused = False
            self._connection.schedule()
        else:
            super().resume_reading()


def _head_and_body(refusal: Refusal) -> bytes:
    problem = Problem(
        title=refusal.status.phrase,
        status=refusal.status,
        detail=refusal.detail,
        instance="",
        request_id="",
        code=refusal.code,
    )
    body = json.dumps(problem.model_dump(exclude_none=True)).encode()
    head = f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[refusal.status] + head.encode() + body


def most_connections(descriptors: int) -> int | None:
    """Return the maximum number of connections for this limit of descriptors. None means unlimited."""
    if descriptors == resource.RLIM_INFINITY:
        return None
    return descriptors - min(RESERVED_DESCRIPTORS, descriptors // 4)


@asynccontextmanager
async def guard_connections(metrics: Metrics, settings: Settings) -> AsyncIterator[None]:
    """Install the limits in the server that runs this application.

    A connection is closed if its client reads nothing of its responses for `UNREAD_RESPONSE_S`. Trusted proxies can
    have any number of connections.
    """
    server = running_server()
    if server is None:
        yield
        return
    if server.config.http_protocol_class not in {HttpToolsProtocol, H11Protocol}:
        log.warning("request_heads_unlimited", protocol=server.config.http_protocol_class.__name__)
        yield
        return

    def count_refused(status: HTTPStatus) -> None:
        metrics.observe_request("OTHER", "unmatched", status, 0.0)

    proxies = TrustedProxies.parse(settings.trusted_proxies)
    unread = UnreadAnswers(settings.unread_response_s)
    guard = Connections(count_refused, settings.max_connections_per_address, proxies, unread)
    # uvicorn calls this with keyword arguments for each accepted connection.
    server.config.http_protocol_class = partial(GuardedProtocol, guard)  # type: ignore[assignment]
    async with run_until_cancelled(guard.sweep, every_s=SWEEP_EVERY_S, name="connections"):
        yield
