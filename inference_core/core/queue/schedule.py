"""The schedule of `celery beat`."""

from __future__ import annotations

from typing import Any

from inference_core.mail.names import SEND_DUE

PURGE_EXPIRED = "maintenance.purge_expired"
SEND_DUE_MAIL_EVERY_S = 60.0


def beat_schedule(purge_every_s: float) -> dict[str, dict[str, Any]]:
    """Return the schedule in Celery's form.

    A task that no worker starts in time expires, and the next one does its work.
    """
    return {
        "purge-expired": {
            "task": PURGE_EXPIRED,
            "schedule": purge_every_s,
            "options": {"expires": purge_every_s},
        },
        "send-due-mail": {
            "task": SEND_DUE,
            "schedule": SEND_DUE_MAIL_EVERY_S,
            "options": {"expires": SEND_DUE_MAIL_EVERY_S},
        },
    }
