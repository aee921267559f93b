"""Scheduled maintenance tasks of the service."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from celery import shared_task

from inference_core.auth.repository import MailDueRepository, UserRepository
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.loggers import get_logger
from inference_core.core.queue.base_task import ServiceTask
from inference_core.core.queue.schedule import PURGE_EXPIRED
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.clock import Clock
from inference_core.core.settings import Settings
from inference_core.llm.repository import UsageRepository

log = get_logger(__name__)

DAY_S = 24 * 3600
MAIL_GIVEN_UP_AFTER = timedelta(days=1)


@shared_task(name=PURGE_EXPIRED, bind=True)  # type: ignore[untyped-decorator]  # Celery ships no types
def purge_expired(self: ServiceTask) -> dict[str, int]:
    """Delete expired data. It is idempotent. Return the number of deleted rows of each kind."""
    settings = self.app.settings
    database_rows = asyncio.run(purge_database(settings))
    outbox_mails = purge_outbox(settings.mail_outbox_dir, older_than_s=settings.mail_outbox_keep_days * DAY_S)
    return {"outbox_mails": outbox_mails, "database_rows": database_rows}


async def purge_database(settings: Settings) -> int:
    """Delete expired mailed tokens, ended sessions, unconfirmed accounts, and old charges and mails.

    Return the numbers of rows.

    Redis expires its own data.
    """
    async with RedisClient.open(settings) as redis:
        now = await Clock(redis.client).now()
    unconfirmed_since = now - timedelta(hours=settings.email_verification_expire_hours)
    async with Database.open(settings) as database, database.write() as session:
        charges = await UsageRepository(session).purge(utc_now() - timedelta(days=settings.llm_charge_keep_days))
        mails = await MailDueRepository(session).give_up(now - MAIL_GIVEN_UP_AFTER)
        return charges + mails + await UserRepository(session).purge(now, unconfirmed_since)


def purge_outbox(folder: Path, *, older_than_s: float) -> int:
    """Delete older mails of the development outbox. Return their number. Other files are kept."""
    if not folder.is_dir():
        return 0
    limit = time.time() - older_than_s
    deleted = 0
    for path in folder.glob("*.eml"):
        try:
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink()
                deleted += 1
        except OSError as error:
            log.warning("mail_not_deleted", name=path.name, error=type(error).__name__)
    return deleted
