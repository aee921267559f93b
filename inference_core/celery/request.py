"""A task that a worker holds: its arguments, which are personal, are not shown, and its times are by Redis' clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery.worker import state
from celery.worker.request import Request as CeleryRequest

ARGUMENTS = "(...)"
KEYWORDS = "{...}"


class Request(CeleryRequest):  # type: ignore[misc]  # Celery ships no types
    """Celery's request, whose arguments no event, log line or answer to `celery inspect` shows."""

    @property
    def argsrepr(self) -> str:
        """What events and logs say of the arguments."""
        return ARGUMENTS

    @property
    def kwargsrepr(self) -> str:
        """What events and logs say of the keyword arguments."""
        return KEYWORDS

    @property
    def eta(self) -> datetime | None:
        """When to start the task, by this machine's clock; the message says it by Redis' clock."""
        if self._eta is None:
            return None
        eta: datetime = self._eta + timedelta(seconds=self._app.clock_skew_s or 0.0)
        return eta

    def maybe_expire(self) -> bool:
        """Whether the task must not start any more, by Redis' clock whatever this machine's clock says."""
        if self.expires is None or self._app.now() <= self.expires:
            return False
        state.revoked.add(self.id)
        return True

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What remote control is told."""
        info: dict[str, Any] = super().info(safe=safe)
        return info | {"args": ARGUMENTS, "kwargs": KEYWORDS}
