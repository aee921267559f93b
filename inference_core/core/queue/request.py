"""A task that a worker holds.

Its arguments are not shown, because they can be personal. Its times use the clock of Redis.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery.worker import state
from celery.worker.request import Request as CeleryRequest

ARGUMENTS = "(...)"
KEYWORDS = "{...}"


class Request(CeleryRequest):  # type: ignore[misc]  # Celery ships no types
    """Celery's request without arguments in events, log lines and replies to `celery inspect`."""

    @property
    def argsrepr(self) -> str:
        """Return the text of the arguments in events and logs."""
        return ARGUMENTS

    @property
    def kwargsrepr(self) -> str:
        """Return the text of the keyword arguments in events and logs."""
        return KEYWORDS

    @property
    def eta(self) -> datetime | None:
        """Return the start time of the task by this machine's clock. The message contains it by the clock of Redis."""
        if self._eta is None:
            return None
        eta: datetime = self._eta + timedelta(seconds=self._app.clock_skew_s or 0.0)
        return eta

    def maybe_expire(self) -> bool:
        """Return whether the task has expired, by the clock of Redis."""
        if self.expires is None or self._app.now() <= self.expires:
            return False
        state.revoked.add(self.id)
        return True

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Return the description for remote control."""
        info: dict[str, Any] = super().info(safe=safe)
        return info | {"args": ARGUMENTS, "kwargs": KEYWORDS}
