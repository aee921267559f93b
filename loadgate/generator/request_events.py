"""Convert Locust's request events to recorded requests."""

from __future__ import annotations

import functools
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.event import EventHook
from locust.exception import CatchResponseError

from loadgate.credentials import without_credentials
from loadgate.generator.client.tracing import request_ids
from loadgate.generator.descriptors import exhausted_resource
from loadgate.generator.groups import GROUP, current_group
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.recorder.request import Measure
from loadgate.run.judgement import Ending
from loadgate.run.state import Run

LATENESS = "lateness_ms"
"""Key of a request's context in an open model: the time from its intended start to its start."""


FIRST_BYTE = "first_byte"
"""Key of a request's context that is true if its time ends with the headers of a streamed response."""


measured = EventHook()  # type: ignore[no-untyped-call]
"""Fired with `measure=` for every measure of a user."""

INVALID_VALUES = (ArithmeticError, AttributeError, TypeError, ValueError)
"""Exceptions that values of a wrong type or size can raise anywhere."""


class UnansweredRequestError(Exception):
    """The error of a request without a response when its user was stopped. The latency is the time that it waited."""


def record_request(run: Run, event: Mapping[str, Any], measures: Collection[str] = ()) -> None:
    """Record one of Locust's request events. An invalid event becomes a rejected sample, and the verdict reports it.

    Requests that an interrupt cut off count only with their time in flight. Requests that the load generator's machine
    could not send are only counted, because they say nothing about the target. An event whose type is in `measures` is
    recorded as a measure, unless it has an exception.
    """
    exception = event.get("exception")
    is_cut_off = run.ending is Ending.INTERRUPTED and isinstance(exception, UnansweredRequestError)
    if exception is not None and not is_cut_off:
        # If a `with` block has marked the request as failed, the response holds the error of the client.
        limit = exhausted_resource(exception) or exhausted_resource(getattr(event.get("response"), "error", None))
        if limit is not None:
            run.count_unsent(limit)
            return
    try:
        request = finished_request(**event)
        if is_cut_off:
            run.record_cut_off(request)
            return
        if request.method in measures and request.error is None:
            run.record_measure(as_measure(request))
            return
        run.record_request(request)
        if (event.get("context") or {}).get(FIRST_BYTE):
            run.first_bytes.add(request.name)
    except INVALID_VALUES as error:
        run.reject(event.get("name"), error)


def as_measure(request: FinishedRequest) -> Measure:
    """Return the measure that a suite fired as a request event. Raises ValueError if it has no value."""
    if request.latency_ms is None:
        raise ValueError(f"an event of type {request.method} needs its value as response_time")
    return Measure(request.name, request.group, request.latency_ms, request.start_s + request.latency_ms / 1000)


def record_measure(run: Run, measure: Measure) -> None:
    """Record a measure. An invalid measure becomes a rejected sample, and the verdict reports it."""
    try:
        run.record_measure(measure)
    except INVALID_VALUES as error:
        run.reject(measure.name, error)


def finished_request(
    *,
    request_type: str,
    name: str,
    response_time: float | None,
    response_length: int | None = 0,
    exception: Any = None,
    context: Mapping[str, Any] | None = None,
    start_time: float | None = None,
    response: Any = None,
    **_: Any,
) -> FinishedRequest:
    """Return the request that the arguments of a request event describe. Without a response time, it has no latency."""
    service_ms = max(response_time or 0.0, 0.0)  # in this order, max returns NaN, which is then rejected
    began_s = time.time() - service_ms / 1000 if start_time is None else start_time
    lateness_ms = (context or {}).get(LATENESS)
    is_timed = response_time is not None
    error = without_credentials(error_text(exception, response)) if exception else None
    # In the order of the fields. Keyword arguments double the time of this call (docs/decisions/fast-paths.md).
    return FinishedRequest(
        request_name(request_type, name),
        Outcome.SUCCESS if error is None else Outcome.FAILURE,
        began_s - (lateness_ms or 0.0) / 1000,
        service_ms + (lateness_ms or 0.0) if is_timed else None,
        request_type,
        int(response_length or 0),
        error,
        str(context[GROUP]) if context and GROUP in context else current_group(),
        service_ms if is_timed and lateness_ms is not None else None,
        partial(request_ids, context, response, is_failed=error is not None),
    )


@functools.lru_cache(maxsize=1024)
def request_name(request_type: str, name: str) -> str:
    """Return the recorded name: the suite's name, or the method and the path if the suite gave none."""
    return without_credentials(f"{request_type} {name}") if name.startswith("/") or "://" in name else name


def error_text(exception: Any, response: Any = None) -> str:
    """Return the text of an error without parts that differ between requests. Equal texts are counted together."""
    if isinstance(exception, LocustBadStatusCode):
        return f"HTTP {getattr(exception, 'code', 'error')}"
    if isinstance(exception, CatchResponseError | str):
        cause = getattr(response, "error", None)
        if cause is None or isinstance(cause, LocustBadStatusCode):
            return str(exception)
        return f"{exception} ({error_text(cause)})"
    if isinstance(exception, UnansweredRequestError):
        return str(exception)
    return f"{type(exception).__name__}: {exception}".rstrip(": ")
