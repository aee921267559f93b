"""The access log: one line per request.

Fast path: lines are written in batches, because single writes cost too much.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from inference_core.core.log_lines import access_line, shows_colours

FLUSH_AFTER_S = 0.2
FLUSH_AT_LINES = 200
# A longer path is shortened, and the line contains its length.
PATH_CHARACTERS = 256


class Answered(NamedTuple):
    """A request and its result. `at_s` is the end of its response in epoch seconds."""

    at_s: float
    method: str
    path: str
    route: str
    status: int
    duration_s: float
    request_id: str
    trace_id: str
    user_id: str
    ip: str


@dataclass(slots=True)
class AccessLog:
    """A collector of requests that writes their lines in order, at least every 0.2 s."""

    enabled: bool
    as_json: bool
    count_lost: Callable[[int], None]
    requests: list[Answered] = field(default_factory=list)
    flush_due: asyncio.TimerHandle | None = None
    second: int = 0
    second_text: str = ""

    def note(self, request: Answered) -> None:
        """Add a finished request. The query is omitted, because it can contain secrets."""
        if len(request.path) > PATH_CHARACTERS:
            request = request._replace(path=shortened(request.path))
        self.requests.append(request)
        if len(self.requests) >= FLUSH_AT_LINES:
            self.flush()
        elif self.flush_due is None:
            self.flush_due = asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        """Write the collected lines. If this fails (a full disk), requests are served without a log."""
        if self.flush_due is not None:
            self.flush_due.cancel()
            self.flush_due = None
        if self.requests:
            requests, self.requests = self.requests, []
            line = self._json if self.as_json else self._text
            try:
                sys.stderr.write("".join(map(line, requests)))
                sys.stderr.flush()
            except OSError:
                self.count_lost(len(requests))

    def _json(self, request: Answered) -> str:
        # Only the path and the address can need escaping. All other values are from the service or validated.
        return (
            f'{{"event": "request", "method": "{request.method}", "path": {quoted(request.path)}, '
            f'"route": "{request.route}", "status": {request.status}, '
            f'"duration_ms": {request.duration_s * 1000:.2f}, "request_id": "{request.request_id}", '
            f'"trace_id": "{request.trace_id}", "user_id": "{request.user_id}", "ip": {quoted(request.ip)}, '
            f'"level": "info", "timestamp": "{self._time(request.at_s)}"}}\n'
        )

    def _text(self, request: Answered) -> str:
        what, duration_ms = f"{request.method} {request.path}", request.duration_s * 1000
        line = access_line(request.at_s, what, request.status, duration_ms, is_coloured=shows_colours(sys.stderr))
        return f"{line} {request.request_id} {request.ip} {request.user_id}".rstrip() + "\n"

    def _time(self, at_s: float) -> str:
        """Return the time in ISO 8601. Fast path: `datetime.isoformat` costs several times as much."""
        second = int(at_s)
        if second != self.second:
            self.second = second
            self.second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self.second_text}.{int((at_s - second) * 1_000_000):06d}+00:00"


def shortened(path: str) -> str:
    """Return a path for the log, shortened if it is long."""
    if len(path) <= PATH_CHARACTERS:
        return path
    return f"{path[:PATH_CHARACTERS]}… ({len(path)} characters)"
