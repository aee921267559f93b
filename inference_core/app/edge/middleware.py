"""The outermost middleware: request id, body, slot, metrics and access log.

One layer, because each layer costs time.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter, time
from urllib.parse import quote

from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_core.app.edge.bodies import Body, BodyLimits, ClientGoneError, Intake
from inference_core.app.edge.forwarded import FORWARDING_HEADERS, Forwarding
from inference_core.app.edge.proxied_clients import ProxiedClients
from inference_core.app.edge.startup import one_line_startup_failure
from inference_core.core.addresses import client_address
from inference_core.core.exceptions import InvalidInputError, ServiceError
from inference_core.core.logging import request_id_var, trace_id_var, user_id_var
from inference_core.core.paths import PROBES, UNMATCHED, route_template
from inference_core.core.problems import service_problem
from inference_core.core.telemetry.access_log import AccessLog, Answered
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import RECEIVE_KEY, SLOT_KEY, OverloadedError, ShuttingDownError, Slot, Traffic

ACCEPTED_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
HTTP_1 = frozenset({"1.0", "1.1"})
# The status of nginx for a client that disconnected before the response. It is only logged.
CLIENT_GONE = 499
# Request ids are unique but not secret.
_new_id = random.Random().getrandbits  # noqa: S311


@dataclass(frozen=True, slots=True)
class Edge:
    """The objects that the middleware and the lifespan of one application share."""

    traffic: Traffic
    metrics: Metrics
    access_log: AccessLog
    tracing: bool
    bodies: BodyLimits
    intake: Intake = field(default_factory=Intake)
    forwarding: Forwarding = field(default_factory=Forwarding)
    proxied_clients: ProxiedClients = field(default_factory=ProxiedClients)


class AmbiguousHostError(InvalidInputError):
    """Raised for a request with several hosts, because a proxy and the service could use different ones."""

    code = "ambiguous_host"
    detail = "The request names more than one host."


class EdgeMiddleware:
    """A middleware that gives each request an id and a slot, and records its result."""

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self.app = app
        self.edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, one_line_startup_failure(send))
            return
        exchange = Exchange(self.edge, scope, receive, send)
        try:
            if await exchange.may_begin():
                await self.app(exchange.scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not self.edge.traffic.draining:
                raise
            # The server cancels the requests that still run at the end of SHUTDOWN_GRACE_S.
            await exchange.cut_off()
        finally:
            exchange.end()


class Exchange:
    """One request and its response."""

    __slots__ = (
        "_body", "_client", "_edge", "_has_started", "_hosts", "_is_probe", "_is_proxied", "_method", "_request_id",
        "_route", "_send", "_slot", "_start_s", "_status", "_trace_id", "receive", "scope",
    )  # fmt: skip

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._start_s = perf_counter()
        self._edge = edge
        self._method = scope["method"]
        # Every GET route also serves HEAD (RFC 9110). The server omits the body.
        self.scope = scope if self._method != "HEAD" else {**scope, "method": "GET"}
        self.receive = receive
        self._send = send
        self._is_probe = scope["path"] in PROBES
        self._slot: Slot | None = None
        self._client = ""
        self._status = 500
        self._has_started = False
        self._route = UNMATCHED
        forwarding = self._read_headers()
        request_id_var.set(self._request_id)
        trace_id_var.set(self._trace_id)
        user_id_var.set("")
        self._is_proxied = bool(forwarding) and edge.forwarding.apply(self.scope, forwarding)

    def _read_headers(self) -> list[tuple[bytes, bytes]]:
        """Read the headers that this layer uses. Return those of proxies."""
        request_id = trace_id = ""
        content_type = b""
        hosts = 0
        forwarding: list[tuple[bytes, bytes]] = []
        # In these versions, a request without a length has no body.
        body_bytes: int | None = 0 if self.scope.get("http_version") in HTTP_1 else None
        for name, value in self.scope["headers"]:
            if name == b"host":
                hosts += 1
            elif name == b"x-request-id" and ACCEPTED_REQUEST_ID.fullmatch(value):
                request_id = value.decode()
            elif name == b"traceparent" and (match := TRACEPARENT.fullmatch(value)):
                trace_id = match[1].decode()
            elif name == b"content-length" and value.isdigit():
                body_bytes = int(value)
            elif name == b"transfer-encoding":
                body_bytes = None
            elif name == b"content-type":
                # With several hosts, it is unclear which one is used.
                content_type = b"; ".join((content_type, value)) if content_type else value
            elif name in FORWARDING_HEADERS:
                forwarding.append((name, value))
        if self._edge.tracing and (span := trace.get_current_span().get_span_context()).is_valid:
            trace_id = trace.format_trace_id(span.trace_id)
        self._hosts = hosts
        self._trace_id = trace_id
        self._request_id = request_id or f"{_new_id(64):016x}"
        self._open_body(body_bytes, content_type)
        return forwarding

    def _open_body(self, body_bytes: int | None, content_type: bytes) -> None:
        self._body: Body | None = None
        if body_bytes != 0:
            path = self.scope["path"].removeprefix(self.scope.get("root_path", ""))
            max_bytes = self._edge.bodies.of(path, content_type)
            self._body = Body(self.receive, max_bytes, content_type, body_bytes)

    async def may_begin(self) -> bool:
        """Wait for the body and for a slot. A request without a slot gets its response here."""
        try:
            if self._hosts > 1:
                raise AmbiguousHostError
            if not self._is_probe:
                if self._is_proxied:
                    self._client = self._edge.proxied_clients.enter(client_address(self.scope))
                await self._take_slot()
        except ClientGoneError:
            self._status = CLIENT_GONE
            return False
        except ServiceError as error:
            await self._refuse(error)
            return False
        if self._body is not None:
            self.receive = self._body.receive
        return True

    async def _take_slot(self) -> None:
        traffic = self._edge.traffic
        if self._body is not None:
            await self._body.take_in(self._edge.intake)
        if not traffic.try_enter():
            start_s = perf_counter()
            try:
                await traffic.enter()
            finally:
                self._edge.metrics.slot_wait.observe(perf_counter() - start_s)
        self._slot = self.scope[SLOT_KEY] = Slot(traffic)
        self.scope[RECEIVE_KEY] = self.receive
        if self._body is not None:
            self._body.leave_intake()

    async def _refuse(self, error: ServiceError) -> None:
        if isinstance(error, OverloadedError):
            self._edge.metrics.requests_refused.inc()
        await service_problem(self.scope["path"], error)(self.scope, self.receive, self.send)

    async def cut_off(self) -> None:
        """End a request that the shutdown interrupts. The server closes the connection of an unfinished response."""
        if not self._has_started:
            await self._refuse(ShuttingDownError())

    async def send(self, message: Message) -> None:
        """Forward the messages of the application, with the request id in the head."""
        if message["type"] == "http.response.start":
            self._has_started = True
            self._status = status = message["status"]
            self._route = route_template(self.scope)
            headers = [*message["headers"], (b"x-request-id", self._request_id.encode())]
            # If the response precedes the end of the body, the rest of the body is not read.
            if self._edge.traffic.draining or (self._body is not None and not self._body.is_complete):
                headers.append((b"connection", b"close"))
            if status == HTTPStatus.TEMPORARY_REDIRECT and self._route is UNMATCHED:
                headers = [header for header in headers if header[0] != b"location"]
                headers.append((b"location", other_slash(self.scope)))
            message["headers"] = headers
            if self._slot is not None:
                # Only the sending of the response remains, and the client may read it slowly or never.
                self._slot.release()
        await self._send(message)

    def end(self) -> None:
        """Release the resources of the request, and count and log it."""
        scope = self.scope
        if self._body is not None:
            self._body.leave_intake()
        if self._slot is not None:
            self._slot.release()
            # This reference leads back to the scope, so every request would need the garbage collector.
            del scope[RECEIVE_KEY]
        if self._client:
            self._edge.proxied_clients.leave(self._client)
        duration_s = perf_counter() - self._start_s
        method = self._method if self._method in METHODS else "OTHER"
        self._edge.metrics.observe_request(method, self._route, self._status, duration_s)
        if self._edge.access_log.enabled and not (self._is_probe and self._status == HTTPStatus.OK):
            ids = (self._request_id, self._trace_id, user_id_var.get())
            result = (self._route, self._status, duration_s)
            answered = Answered(time(), method, scope["path"], *result, *ids, client_address(scope))
            self._edge.access_log.note(answered)


def other_slash(scope: Scope) -> bytes:
    """Return the target of a redirect for a missing or additional slash, without host and scheme.

    The router would use the host of the caller and the scheme of the last proxy's connection.
    """
    path = scope["path"]
    target = f"/{path.strip('/')}" if path.endswith("/") else f"/{path.lstrip('/')}/"
    query = scope["query_string"]
    return quote(target, safe="/:@!$&'()*+,;=~").encode() + (b"?" + query if query else b"")
