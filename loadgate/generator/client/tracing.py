"""W3C trace context: each request has its own trace id, which identifies it in the target's logs."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

from loadgate.generator.client.problems import problem_detail
from loadgate.recorder import RequestIds

TRACEPARENT = "traceparent"
"""Header of a request, and key of its context in Locust's request event; see https://www.w3.org/TR/trace-context/."""

REQUEST_ID_HEADERS = ("x-request-id", "x-correlation-id", "request-id")
"""Response headers in which services return the id of the request. The first one that is present is used."""

MAX_ID_CHARS = 128

# A separate random number generator, because a suite that seeds `random` would get the same ids in each run. Ids are
# not secrets.
_numbers = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_numbers.seed)

_OWN = re.compile(r"\r\ntraceparent: *([^\r]*)\r\n")


def new_traceparent() -> str:
    """Return the value of the header for a new, sampled trace."""
    return f"00-{_numbers.getrandbits(128):032x}-{_numbers.getrandbits(64):016x}-01"


def own_traceparent(head: str) -> str | None:
    """Return the traceparent in a request's head. `None` if it has none."""
    found = _OWN.search(head.lower())
    return found[1] if found else None


def with_traceparent(head: str, traceparent: str) -> str:
    """Return a request's head with the header added. The head must end with an empty line."""
    return f"{head[:-2]}traceparent: {traceparent}\r\n\r\n"


def traceparent_in(headers: Mapping[str, Any] | None) -> str:
    """Return the traceparent in the headers of a request. "" if it has none."""
    return next((str(value) for name, value in (headers or {}).items() if name.lower() == TRACEPARENT), "")


def with_trace(headers: Mapping[str, Any] | None, common: Iterable[str]) -> Mapping[str, Any] | None:
    """Return a request's headers with a new trace, unless they or the `common` header names include one."""
    if any(name.lower() == TRACEPARENT for name in (*common, *(headers or ()))):
        return headers
    return {**(headers or {}), TRACEPARENT: new_traceparent()}


def request_ids(context: Mapping[str, Any] | None, response: Any, *, is_failed: bool = False) -> RequestIds:
    """Return the ids of a finished request: its trace id, and the request id in its response.

    Those of a failed request include what its response says.

    The trace of a BaseUser's request is in its context. The trace of other requests is in their headers.
    """
    sent = getattr(getattr(response, "request", None), "headers", None) or {}
    parts = str((context or {}).get(TRACEPARENT) or sent.get(TRACEPARENT) or "").split("-")
    trace_id = parts[1] if len(parts) >= 4 else ""
    headers = getattr(response, "headers", None) or {}
    given = next((value for name in REQUEST_ID_HEADERS if (value := headers.get(name))), "")
    detail = problem_detail(response) if is_failed else ""
    return RequestIds(trace_id[:MAX_ID_CHARS], str(given)[:MAX_ID_CHARS], detail)
