"""Delete the expired data of accounts."""

from __future__ import annotations

from datetime import timedelta

from inference_core.auth.api_keys.repository import ApiKeyRepository
from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.invitations.repository import InvitationRepository
from inference_core.auth.repository import MailDueRepository, UserRepository
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import Database
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.clock import Clock
from inference_core.core.settings import Settings

MAIL_GIVEN_UP_AFTER = timedelta(days=1)


async def purge(settings: Settings) -> int:
    """Delete expired tokens, API keys, invitations and ended sessions, unconfirmed accounts, old mails.

    Return their number.
    """
    async with RedisClient.open(settings) as redis:
        now = await Clock(redis.client, SessionStoreUnavailableError).now()
    unconfirmed_since = now - timedelta(hours=settings.of(AuthSettings).email_verification_expire_hours)
    async with Database.open(settings) as database, database.write() as session:
        mails = await MailDueRepository(session).give_up(now - MAIL_GIVEN_UP_AFTER)
        keys = await ApiKeyRepository(session).purge(now)
        invitations = await InvitationRepository(session).purge(now)
        return mails + keys + invitations + await UserRepository(session).purge(now, unconfirmed_since)
