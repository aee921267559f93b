"""What `celery beat` sends and when."""

from __future__ import annotations

from typing import Any

PURGE_EXPIRED = "maintenance.purge_expired"
PURGE_EVERY_S = 600.0


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The schedule in Celery's form; a run that found no worker in time expires, the next one does its work."""
    return {
        "purge-expired": {
            "task": PURGE_EXPIRED,
            "schedule": PURGE_EVERY_S,
            "options": {"expires": PURGE_EVERY_S},
        }
    }
