"""Invitations to register: superusers create, list and withdraw them; a worker creates the token of each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.audit import audit
from inference_core.auth.errors import (
    AccountExistsError,
    InvitationExistsError,
    InvitationsOffError,
    SessionStoreUnavailableError,
    TooManyInvitationsError,
)
from inference_core.auth.invitations.repository import InvitationRepository, StoredInvitation
from inference_core.auth.mail import names
from inference_core.auth.mail.mailing import Mailing
from inference_core.auth.mail.tokens import TOKEN_BYTES, token_hash
from inference_core.auth.repository import AccountReads
from inference_core.auth.schemas import NewInvitation
from inference_core.auth.settings import AuthSettings
from inference_core.auth.tokens.sessions import Client
from inference_core.core.db.engine import Database, ReadSession
from inference_core.core.exceptions import NotFoundError
from inference_core.core.redis.client import RedisClient
from inference_core.core.redis.clock import Clock


@dataclass(frozen=True, slots=True)
class InvitationService:
    """The service acts for the superuser `caller_id`. Invitations expire by the clock of Redis."""

    settings: AuthSettings
    database: Database
    clock: Clock
    client: Client
    mailing: Mailing
    caller_id: UUID

    async def create(self, session: AsyncSession, invitation: NewInvitation) -> StoredInvitation:
        """Create an invitation and mail it.

        Raises:
            InvitationsOffError: `REGISTRATION` is not `invite`.
            AccountExistsError: The email has an account.
            InvitationExistsError: The email has an open invitation.
            TooManyInvitationsError: `INVITATIONS_OPEN_MAX` invitations are open.
            ThrottledError: The caller's network or the email has been sent too many mails.
            SessionStoreUnavailableError: Redis does not respond.
        """
        if self.settings.registration != "invite":
            raise InvitationsOffError
        if await AccountReads(self.database).by_login(invitation.email) is not None:
            raise AccountExistsError
        now = await self.clock.now()
        await self.mailing.require("invitation", invitation.email)
        invitations = InvitationRepository(session)
        await invitations.purge(now)
        if await invitations.count_open(now) >= self.settings.invitations_open_max:
            raise TooManyInvitationsError
        expires_at = now + timedelta(hours=invitation.expires_in_hours)
        try:
            made = await invitations.add(invitation.email, self.caller_id, expires_at)
        except IntegrityError as error:
            raise InvitationExistsError from error
        audit("invitation_created", self.client, by=self.caller_id, invitation_id=made.id)
        await self.mailing.send_after_commit(session, names.INVITATION, str(made.id))
        return made

    async def page(self, session: ReadSession, offset: int, limit: int) -> tuple[list[StoredInvitation], int]:
        """Return a page of the open invitations from `offset` on, and the number of all of them."""
        invitations, now = InvitationRepository(session), await self.clock.now()
        return await invitations.page(now, offset, limit), await invitations.count_open(now)

    async def withdraw(self, session: AsyncSession, invitation_id: UUID) -> None:
        """Delete an invitation. Its link is no longer valid.

        Raises:
            NotFoundError: There is no such invitation.
        """
        if not await InvitationRepository(session).delete(invitation_id):
            raise NotFoundError
        audit("invitation_withdrawn", self.client, by=self.caller_id, invitation_id=invitation_id)


async def make_invitation_token(settings: AuthSettings, invitation_id: UUID) -> tuple[StoredInvitation, str] | None:
    """Create the token of an invitation, in place of an earlier one. None if the invitation is no longer open.

    Raises:
        DatabaseUnavailableError: The database does not respond.
        SessionStoreUnavailableError: Redis, whose clock is used, does not respond.
    """
    async with RedisClient.open(settings) as redis:
        now = await Clock(redis.client, SessionStoreUnavailableError).now()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    async with Database.open(settings) as database, database.write() as session:
        invitation = await InvitationRepository(session).put_token(invitation_id, token_hash(token), now)
    return (invitation, token) if invitation is not None else None
