"""Committed mails: whether one still has to be sent, and which ones were lost."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.repository import MailDueRepository, StoredMail
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import Database
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.clock import Clock

# Longer than the retries of a task. If the mail server remains unavailable, there are four attempts per hour.
TRIED_AGAIN_AFTER = timedelta(minutes=15)
MOST_AT_ONCE = 500


async def is_mail_due(settings: AuthSettings, mail_id: UUID) -> bool:
    """Return whether a committed mail has not been sent yet.

    Raises:
        DatabaseUnavailableError: The database does not respond.
    """
    async with Database.open(settings) as database, database.read() as session:
        return await MailDueRepository(session).is_due(mail_id)


async def mail_is_done(settings: AuthSettings, mail_id: UUID) -> None:
    """Remove a committed mail.

    Raises:
        DatabaseUnavailableError: The database does not respond.
    """
    async with Database.open(settings) as database, database.write() as session:
        await MailDueRepository(session).done(mail_id)


async def take_due_mails(settings: AuthSettings) -> list[StoredMail]:
    """Return the committed mails whose tasks should have run by now.

    Each is returned again only after `TRIED_AGAIN_AFTER`.

    Raises:
        DatabaseUnavailableError: The database does not respond.
        SessionStoreUnavailableError: Redis, whose clock is used, does not respond.
    """
    async with RedisClient.open(settings) as redis:
        now = await Clock(redis.client, SessionStoreUnavailableError).now()
    async with Database.open(settings) as database, database.write() as session:
        return await MailDueRepository(session).take_due(now, now + TRIED_AGAIN_AFTER, MOST_AT_ONCE)
