"""The tasks of crates."""

from __future__ import annotations

import asyncio

from celery import shared_task

from depot.crates.errors import CrateTakenError
from depot.crates.repository import CrateRepository
from inference_core.core.db.engine import Database
from inference_core.core.queue.base_task import ServiceTask


@shared_task(name="crates.pack", bind=True, base=ServiceTask)
def pack(self: ServiceTask, label: str) -> None:
    """Store a crate."""
    asyncio.run(_add(self, label))


@shared_task(name="crates.stack", bind=True, base=ServiceTask)
def stack(self: ServiceTask) -> None:
    """Store the crate of the schedule, unless it is there."""
    try:
        asyncio.run(_add(self, "by-schedule"))
    except CrateTakenError:
        return


async def _add(task: ServiceTask, label: str) -> None:
    async with Database.open(task.app.settings) as database, database.write() as session:
        await CrateRepository(session).add(label, "blue")
