"""What Locust's request event says, in the terms of the record."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.exception import CatchResponseError

from loadgate.credentials import without_credentials
from loadgate.descriptors import own_limit
from loadgate.judgement import CUT_OFF, UNSENT, Ending
from loadgate.measures import Measure
from loadgate.run_state import FinishedRequest, Run
from loadgate.tracing import request_ids

GROUP = "group"
"""Key of a request's context under which its group stands; any Locust user can set it through `context()`."""

LATENESS = "lateness_ms"
"""Key of a request's context, in an open model: how long after its intended time it began."""


SENSELESS = (ArithmeticError, AttributeError, TypeError, ValueError)
"""What comes of values of the wrong type or size, wherever they are met."""


class UnansweredRequestError(Exception):
    """A request had no answer yet when its user was stopped; it counts as a failure with the time it had waited."""


def record_request(run: Run, event: Mapping[str, Any]) -> None:
    """Record what Locust's request event says; what makes no sense is left out, and the verdict says so.

    Two are only counted: one that the load generator's own machine refused to send says nothing of the target, and one
    that whoever interrupted the run has cut off neither failed nor succeeded.
    """
    exception = event.get("exception")
    if run.ending is Ending.INTERRUPTED and isinstance(exception, UnansweredRequestError):
        run.recorder.count(CUT_OFF)
        return
    if exception is not None:
        # Where a `with` block has marked the request as failed, the client's own error stands in the response.
        limit = own_limit(exception) or own_limit(getattr(event.get("response"), "error", None))
        if limit is not None:
            run.recorder.count(UNSENT + limit)
            return
    try:
        run.record_request(finished_request(**event))
    except SENSELESS as error:
        run.leave_out(event.get("name"), error)


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
    """Read the arguments of Locust's request event. A request without a time (None) counts with 0 ms."""
    service_ms = max(response_time or 0.0, 0.0)  # in this order NaN stays, and is refused
    began_s = time.time() - service_ms / 1000 if start_time is None else start_time
    lateness_ms = (context or {}).get(LATENESS)
    return FinishedRequest(
        name=request_name(request_type, name),
        group=str((context or {}).get(GROUP, "")),
        start_s=began_s - (lateness_ms or 0.0) / 1000,
        latency_ms=service_ms + (lateness_ms or 0.0),
        service_ms=None if lateness_ms is None else service_ms,
        response_bytes=int(response_length or 0),
        error=without_credentials(error_text(exception, response)) if exception else None,
        ids=partial(request_ids, context, response),
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
