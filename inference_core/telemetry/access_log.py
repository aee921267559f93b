"""One line for every request, written in batches: a log call for each would cost more than many answers do."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted

FLUSH_AFTER_S = 0.2
FLUSH_AT_LINES = 200


@dataclass(slots=True)
class AccessLog:
    """Collects lines and writes them, complete and in order, at least every fifth of a second."""

    enabled: bool
    as_json: bool
    count_lost: Callable[[int], None]
    lines: list[str] = field(default_factory=list)
    flush_due: asyncio.TimerHandle | None = None
    second: int = 0
    second_text: str = ""

    def request(
        self,
        *,
        method: str,
        path: str,
        route: str,
        status: int,
        duration_s: float,
        request_id: str,
        trace_id: str,
        user_id: str,
    ) -> None:
        """Note one answered request; the query stays out, for people put secrets there."""
        now = self._now()
        if self.as_json:
            # Everything but the path is ours or checked, and needs no escaping.
            self.lines.append(
                f'{{"event": "request", "method": "{method}", "path": {quoted(path)}, "route": "{route}", '
                f'"status": {status}, "duration_ms": {duration_s * 1000:.2f}, "request_id": "{request_id}", '
                f'"trace_id": "{trace_id}", "user_id": "{user_id}", "level": "info", "timestamp": "{now}"}}\n'
            )
        else:
            self.lines.append(f"{now} {method} {path!r} {status} {duration_s * 1000:.1f} ms {request_id} {user_id}\n")
        if len(self.lines) >= FLUSH_AT_LINES:
            self.flush()
        elif self.flush_due is None:
            self.flush_due = asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)

    def _now(self) -> str:
        """The time in ISO 8601, as `datetime.isoformat` gives it at a multiple of the cost."""
        now_s = time.time()
        second = int(now_s)
        if second != self.second:
            self.second = second
            self.second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self.second_text}.{int((now_s - second) * 1_000_000):06d}+00:00"

    def flush(self) -> None:
        """Write what was collected; where that cannot be (a full disk), requests are served without being logged."""
        if self.flush_due is not None:
            self.flush_due.cancel()
            self.flush_due = None
        if self.lines:
            lines, self.lines = self.lines, []
            try:
                sys.stderr.write("".join(lines))
                sys.stderr.flush()
            except OSError:
                self.count_lost(len(lines))
