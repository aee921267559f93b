"""The outermost middleware, all in one because every layer costs each request.

Id, slot, limit of the body, measure, access log.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from time import perf_counter, time

from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_core.errors import problem_response
from inference_core.logging import request_id_var, trace_id_var, user_id_var
from inference_core.middleware import limited
from inference_core.paths import PROBES
from inference_core.startup import one_line_startup_failure
from inference_core.telemetry.access_log import AccessLog, Answered
from inference_core.telemetry.metrics import Metrics
from inference_core.traffic import RECEIVE_KEY, SLOT_KEY, OverloadedError, Slot, Traffic

ACCEPTED_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
HTTP_1 = frozenset({"1.0", "1.1"})
UNMATCHED = "unmatched"
# Unique, not secret: a request's id opens nothing, and is made for every request.
_new_id = random.Random().getrandbits  # noqa: S311


@dataclass(frozen=True, slots=True)
class Edge:
    """What the middleware and the lifespan of one application share."""

    traffic: Traffic
    metrics: Metrics
    access_log: AccessLog
    tracing: bool
    max_body_bytes: int


class EdgeMiddleware:
    """Gives each request an id and a slot, and notes how it went."""

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self.app = app
        self.edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, one_line_startup_failure(send))
            return
        start_s = perf_counter()
        request_id, trace_id, body_bytes = _told(scope, self.edge.tracing)
        request_id_var.set(request_id)
        trace_id_var.set(trace_id)
        user_id_var.set("")
        id_header = (b"x-request-id", request_id.encode())
        traffic = self.edge.traffic
        status = 500
        route = UNMATCHED

        async def send_marked(message: Message) -> None:
            nonlocal status, route
            if message["type"] == "http.response.start":
                status = message["status"]
                route = route_template(scope)
                headers = [*message["headers"], id_header]
                if traffic.draining:
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            await send(message)

        is_probe = scope["path"] in PROBES
        slot: Slot | None = None
        try:
            if not is_probe:
                if not traffic.try_enter() and not await self._waited_its_turn(scope, receive, send_marked):
                    return
                slot = scope[SLOT_KEY] = Slot(traffic)
                scope[RECEIVE_KEY] = receive
            if body_bytes != 0:
                receive = limited(receive, self.edge.max_body_bytes, body_bytes)
            await self.app(scope, receive, send_marked)
        finally:
            if slot is not None:
                slot.release()
                # It leads back to the scope: every request would wait for the garbage collector.
                del scope[RECEIVE_KEY]
            duration_s = perf_counter() - start_s
            method = scope["method"] if scope["method"] in METHODS else "OTHER"
            self.edge.metrics.observe_request(method, route, status, duration_s)
            if self.edge.access_log.enabled and not (is_probe and status == 200):
                user_id = user_id_var.get()
                self.edge.access_log.note(
                    Answered(time(), method, scope["path"], route, status, duration_s, request_id, trace_id, user_id)
                )

    async def _waited_its_turn(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether a busy process has a slot for a request in the end; one that gets none is answered."""
        try:
            await self.edge.traffic.enter()
        except OverloadedError as error:
            self.edge.metrics.requests_refused.inc()
            headers = {"Retry-After": str(error.retry_after_s)}
            response = problem_response(scope["path"], 503, error.detail, code=error.code, headers=headers)
            await response(scope, receive, send)
            return False
        return True


def route_template(scope: Scope) -> str:
    """The path of the route that answered, with its parameters' names; `UNMATCHED` where none did.

    Never the path itself: a caller could make as many time series as it has ideas. FastAPI keeps the template with
    all its prefixes in the scope only while the route is being served, so ask when the answer begins.
    """
    context = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path = getattr(context, "path", None)
    return path if isinstance(path, str) else UNMATCHED


def _told(scope: Scope, tracing: bool) -> tuple[str, str, int | None]:
    """What the caller's headers tell: the request's id (one is made where theirs is missing or not well-formed), the
    id of the trace it belongs to or '', and how many bytes its body has; `None` where that remains to be seen.
    """
    request_id = ""
    trace_id = ""
    # Of these versions a request without a length has no body.
    body_bytes: int | None = 0 if scope.get("http_version") in HTTP_1 else None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ACCEPTED_REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and (match := TRACEPARENT.fullmatch(value)):
            trace_id = match[1].decode()
        elif name == b"content-length" and value.isdigit():
            body_bytes = int(value)
        elif name == b"transfer-encoding":
            body_bytes = None
    if tracing and (span := trace.get_current_span().get_span_context()).is_valid:
        trace_id = trace.format_trace_id(span.trace_id)
    return request_id or f"{_new_id(64):016x}", trace_id, body_bytes
