"""The scheduled task that deletes expired data. Each feature says what has expired; Redis expires its own data."""

from __future__ import annotations

import asyncio

from celery import shared_task

from inference_core.core.queue.base_task import ServiceTask
from inference_core.maintenance.feature import PURGE_EXPIRED


@shared_task(name=PURGE_EXPIRED, bind=True)  # type: ignore[untyped-decorator]  # Celery ships no types
def purge_expired(self: ServiceTask) -> dict[str, int]:
    """Delete expired data. It is idempotent. Return the number of deleted items by feature."""
    purges = self.app.service.load_each("purge")
    return {feature.name: asyncio.run(purge(self.app.settings)) for feature, purge in purges}
