"""The service's own small tasks: maintenance that runs by the clock."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task

from inference_core.celery.base_task import ServiceTask
from inference_core.celery.schedule import PURGE_EXPIRED

DAY_S = 24 * 3600


@shared_task(name=PURGE_EXPIRED, bind=True)  # type: ignore[untyped-decorator]  # Celery ships no types
def purge_expired(self: ServiceTask) -> dict[str, int]:
    """Delete what has outlived its use; running it twice does no harm. Gives how many of each kind went."""
    settings = self.app.settings
    outbox_mails = purge_outbox(settings.mail_outbox_dir, older_than_s=settings.mail_outbox_keep_days * DAY_S)
    return {"outbox_mails": outbox_mails}


def purge_outbox(folder: Path, *, older_than_s: float) -> int:
    """Delete the mails of the development outbox that are older than that; gives how many."""
    if not folder.is_dir():
        return 0
    limit = time.time() - older_than_s
    stale = [path for path in folder.glob("*.eml") if path.stat().st_mtime < limit]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)
