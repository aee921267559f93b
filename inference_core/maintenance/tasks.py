"""The scheduled task that deletes expired data. Each feature says what has expired; Redis expires its own data."""

from __future__ import annotations

import asyncio

from celery import shared_task

from inference_core.core.feature import Service
from inference_core.core.loggers import get_logger
from inference_core.core.queue.base_task import ServiceTask, TaskFailedError
from inference_core.core.settings import Settings
from inference_core.maintenance.feature import PURGE_EXPIRED

log = get_logger(__name__)


@shared_task(name=PURGE_EXPIRED, bind=True)  # type: ignore[untyped-decorator]  # Celery ships no types
def purge_expired(self: ServiceTask) -> dict[str, int]:
    """Delete expired data. It is idempotent. Return the number of deleted items by feature."""
    return asyncio.run(purge_features(self.app.service, self.app.settings))


async def purge_features(service: Service, settings: Settings) -> dict[str, int]:
    """Delete the expired data of each feature, also if that of another one cannot be deleted.

    Raises:
        TaskFailedError: The data of some features could not be deleted. The text names them.
    """
    deleted: dict[str, int] = {}
    failed: list[str] = []
    for feature, purge in service.load_each("purge"):
        try:
            deleted[feature.name] = await purge(settings)
        except Exception:
            # The data of the others must not stay. The task fails below.
            log.exception("purge_failed", feature=feature.name)
            failed.append(feature.name)
    if failed:
        raise TaskFailedError(f"Expired data of these features could not be deleted: {', '.join(failed)}.")
    return deleted
