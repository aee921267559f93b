"""What Locust's request event says, in the terms of the record."""

from __future__ import annotations

import functools
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.exception import CatchResponseError

from loadgate.credentials import without_credentials
from loadgate.generator.client.tracing import request_ids
from loadgate.generator.descriptors import own_limit
from loadgate.generator.groups import GROUP, group_here
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.run.judgement import CUT_OFF, UNSENT, Ending
from loadgate.run.measure import Measure
from loadgate.run.state import Run

LATENESS = "lateness_ms"
"""Key of a request's context, in an open model: how long after its intended time it began."""


FIRST_BYTE = "first_byte"
"""Key of a request's context that is true where its time ends with the head of a streamed answer."""


SENSELESS = (ArithmeticError, AttributeError, TypeError, ValueError)
"""What comes of values of the wrong type or size, wherever they are met."""


class UnansweredRequestError(Exception):
    """A request had no answer yet when its user was stopped; it counts as a failure with the time it had waited."""


def record_request(run: Run, event: Mapping[str, Any], measures: Collection[str] = ()) -> None:
    """Record what Locust's request event says; what makes no sense is left out, and the verdict says so.

    Two are only counted: one that the load generator's own machine refused to send says nothing of the target, and one
    that whoever interrupted the run has cut off neither failed nor succeeded. An event of a type among `measures` is a
    figure of the suite's own, and recorded as a measure unless it failed.
    """
    exception = event.get("exception")
    if exception is not None:
        if run.ending is Ending.INTERRUPTED and isinstance(exception, UnansweredRequestError):
            run.recorder.count(CUT_OFF)
            return
        # Where a `with` block has marked the request as failed, the client's own error stands in the response.
        limit = own_limit(exception) or own_limit(getattr(event.get("response"), "error", None))
        if limit is not None:
            run.recorder.count(UNSENT + limit)
            return
    try:
        request = finished_request(**event)
        if request.method in measures and request.error is None:
            run.record_measure(as_measure(request))
            return
        run.record_request(request)
        if (event.get("context") or {}).get(FIRST_BYTE):
            run.first_bytes.add(request.name)
    except SENSELESS as error:
        run.leave_out(event.get("name"), error)


def as_measure(request: FinishedRequest) -> Measure:
    """Return the measure that a suite fired as a request. Raises ValueError for one without a value."""
    if request.latency_ms is None:
        raise ValueError(f"an event of type {request.method} needs its value as response_time")
    return Measure(request.name, request.group, request.latency_ms, request.start_s + request.latency_ms / 1000)


def record_measure(run: Run, measure: Measure) -> None:
    """Record a measure; what makes no sense is left out, and the verdict says so."""
    try:
        run.record_measure(measure)
    except SENSELESS as error:
        run.leave_out(measure.name, error)


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
    """Read the arguments of Locust's request event. A request without a time (None) has no latency."""
    service_ms = max(response_time or 0.0, 0.0)  # in this order NaN stays, and is refused
    began_s = time.time() - service_ms / 1000 if start_time is None else start_time
    lateness_ms = (context or {}).get(LATENESS)
    is_timed = response_time is not None
    error = without_credentials(error_text(exception, response)) if exception else None
    # By position: names of arguments more than double the time.
    return FinishedRequest(
        request_name(request_type, name),
        Outcome.SUCCESS if error is None else Outcome.FAILURE,
        began_s - (lateness_ms or 0.0) / 1000,
        service_ms + (lateness_ms or 0.0) if is_timed else None,
        request_type,
        int(response_length or 0),
        error,
        str(context[GROUP]) if context and GROUP in context else group_here(),
        service_ms if is_timed and lateness_ms is not None else None,
        partial(request_ids, context, response),
    )


@functools.lru_cache(maxsize=1024)
def request_name(request_type: str, name: str) -> str:
    """Return the name in the record: the suite's own, or method and path where the suite gave none."""
    return without_credentials(f"{request_type} {name}") if name.startswith("/") or "://" in name else name


def error_text(exception: Any, response: Any = None) -> str:
    """Return an error without the parts that differ from request to request, so that equal errors count together."""
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
