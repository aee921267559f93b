"""A task in a worker's hands, as the worker tells of it: without its arguments, which are personal."""

from __future__ import annotations

from typing import Any

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

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What remote control is told."""
        info: dict[str, Any] = super().info(safe=safe)
        return info | {"args": ARGUMENTS, "kwargs": KEYWORDS}
