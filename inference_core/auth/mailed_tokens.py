"""Tokens that travel by mail: made where the mail is sent, stored as hashes alone, good once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from inference_core.auth.models import TokenPurpose
from inference_core.auth.repository import Account, UserRepository
from inference_core.db.base import utc_now
from inference_core.db.engine import Database
from inference_core.settings import Settings

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class MailedToken:
    """A new token, in clear only here, and the account it is for."""

    account: Account
    token: str


def token_hash(token: str) -> str:
    """What is stored of a mailed token."""
    return hashlib.sha256(token.encode()).hexdigest()


def lifetime(settings: Settings, purpose: TokenPurpose) -> timedelta:
    """How long a mailed token is good."""
    if purpose == "reset":
        return timedelta(minutes=settings.password_reset_expire_minutes)
    return timedelta(hours=settings.email_verification_expire_hours)


async def make_mailed_token(settings: Settings, email: str, purpose: TokenPurpose) -> MailedToken | None:
    """Make a token for the account with this email, in place of an older one; None if there is no active account.

    Raises:
        DatabaseUnavailableError: if the database does not answer.
    """
    async with Database.open(settings) as database, database.write() as session:
        users = UserRepository(session)
        account = await users.by_email(email)
        if account is None or not account.is_active or (purpose == "verify" and account.is_verified):
            return None
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await users.put_token(account.id, purpose, token_hash(token), utc_now() + lifetime(settings, purpose))
    return MailedToken(account, token)
