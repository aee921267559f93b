"""OpenTelemetry spans of a BaseUser's requests, created if Locust was started with --otel.

Each request carries the context of its span, so the spans of the target belong to the same trace. Locust itself exports
response times, but spans only for users of the `requests` library, such as HttpUser.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from loadgate.credentials import without_credentials

if TYPE_CHECKING:
    from locust.env import Environment
    from opentelemetry.trace import Span, Tracer


SPAN = "span"
"""Key of a request's context that holds its span until Locust's request event ends the span."""


@cache
def tracer_of(environment: Environment) -> Tracer | None:
    """Return the tracer. `None` without --otel or without the SDK. Locust reports a missing SDK itself."""
    if not getattr(environment.parsed_options, "otel", False):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return None
    environment.events.request.add_listener(end_span)  # type: ignore[no-untyped-call]  # Locust's
    return trace.get_tracer("loadgate")


def begin_span(tracer: Tracer, method: str, name: str, url: str) -> Span:
    """Return the span of a request that starts now. It is the root of a new trace."""
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    attributes = {"http.request.method": method, "url.full": without_credentials(url)}
    return tracer.start_span(f"{method} {name}", Context(), SpanKind.CLIENT, attributes, start_time=time.time_ns())


def traceparent_of(span: Span) -> str:
    """Return the value of the traceparent header, which connects the target's spans to this span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def end_span(
    *,
    context: Mapping[str, Any] | None,
    start_time: float,
    response_time: float,
    response: Any = None,
    exception: Any = None,
    **_: Any,
) -> None:
    """End the span of the request in Locust's request event, if it has one."""
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

    span = (context or {}).get(SPAN)
    if span is None:
        return
    if status_code := getattr(response, "status_code", 0):
        span.set_attribute("http.response.status_code", status_code)
    if exception is not None:
        span.set_attribute("error.type", type(exception).__name__)
        span.set_status(Status(StatusCode.ERROR, str(exception)))
    span.end(int((start_time + response_time / 1000) * 1e9))
