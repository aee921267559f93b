"""Mails that were committed together with what they tell of: whether one is still to be sent, and which were lost."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from inference_core.auth.repository import MailDueRepository, StoredMail
from inference_core.db.engine import Database
from inference_core.redis.client import RedisClient
from inference_core.redis.clock import Clock
from inference_core.settings import Settings

# Longer than a task tries by itself: a mail server that stays away is asked four times an hour.
TRIED_AGAIN_AFTER = timedelta(minutes=15)
MOST_AT_ONCE = 500


async def is_mail_due(settings: Settings, mail_id: UUID) -> bool:
    """Whether a committed mail has not been sent yet.

    Raises:
        DatabaseUnavailableError: if the database does not answer.
    """
    async with Database.open(settings) as database, database.read() as session:
        return await MailDueRepository(session).is_due(mail_id)


async def mail_is_done(settings: Settings, mail_id: UUID) -> None:
    """Forget a committed mail.

    Raises:
        DatabaseUnavailableError: if the database does not answer.
    """
    async with Database.open(settings) as database, database.write() as session:
        await MailDueRepository(session).done(mail_id)


async def take_due_mails(settings: Settings) -> list[StoredMail]:
    """The committed mails whose tasks should have run by now; each is given again only `TRIED_AGAIN_AFTER` later.

    Raises:
        DatabaseUnavailableError: if the database does not answer.
        SessionStoreUnavailableError: if Redis, whose clock counts, does not answer.
    """
    async with RedisClient.open(settings) as redis:
        now = await Clock(redis.client).now()
    async with Database.open(settings) as database, database.write() as session:
        return await MailDueRepository(session).take_due(now, now + TRIED_AGAIN_AFTER, MOST_AT_ONCE)
