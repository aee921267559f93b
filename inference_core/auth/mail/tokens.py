"""Mailed tokens. The worker that sends the mail creates them, the database stores their hashes, and they work once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.models import TokenPurpose
from inference_core.auth.repository import Account, AccountReads, UserRepository
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import Database
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.clock import Clock

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class MailedToken:
    """A new token in plain text, and its account."""

    account: Account
    token: str


def token_hash(token: str) -> str:
    """Return the stored hash of a mailed token."""
    return hashlib.sha256(token.encode()).hexdigest()


def lifetime(settings: AuthSettings, purpose: TokenPurpose) -> timedelta:
    """Return the lifetime of a mailed token."""
    if purpose == "reset":
        return timedelta(minutes=settings.password_reset_expire_minutes)
    return timedelta(hours=settings.email_verification_expire_hours)


async def make_mailed_token(
    settings: AuthSettings, email: str, purpose: Literal["reset", "verify"]
) -> MailedToken | None:
    """Create a token for the active account with this email. None if there is none, or it is already confirmed.

    Raises:
        DatabaseUnavailableError: The database does not respond.
        SessionStoreUnavailableError: Redis, whose clock is used, does not respond.
    """
    expires_at = await _expiry(settings, purpose)
    async with Database.open(settings) as database, database.write() as session:
        users = UserRepository(session)
        account = await users.by_email(email)
        if account is None or not account.is_active or (purpose == "verify" and account.is_verified):
            return None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await users.put_token(account.id, purpose, token_hash(token), expires_at)
    return MailedToken(account, token)


async def make_email_change_token(settings: AuthSettings, user_id: UUID, email: str) -> MailedToken | None:
    """Create a token for a new email of an account. None if the account is not active or the email is taken.

    Raises:
        DatabaseUnavailableError: The database does not respond.
        SessionStoreUnavailableError: Redis, whose clock is used, does not respond.
    """
    expires_at = await _expiry(settings, "email")
    async with Database.open(settings) as database, database.write() as session:
        users = UserRepository(session)
        account = await users.by_id(user_id)
        if account is None or not account.is_active or await users.by_email(email) is not None:
            return None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await users.put_token(account.id, "email", token_hash(token), expires_at, email)
    return MailedToken(account, token)


async def account_behind(settings: AuthSettings, login: str) -> Account | None:
    """Return the active account with this user name or email.

    Raises:
        DatabaseUnavailableError: The database does not respond.
    """
    async with Database.open(settings) as database:
        account = await AccountReads(database).by_login(login)
    return account if account is not None and account.is_active else None


async def _expiry(settings: AuthSettings, purpose: TokenPurpose) -> datetime:
    # Use the clock of Redis, because another process checks the token, possibly on a machine with a wrong clock.
    async with RedisClient.open(settings) as redis:
        return await Clock(redis.client, SessionStoreUnavailableError).now() + lifetime(settings, purpose)
