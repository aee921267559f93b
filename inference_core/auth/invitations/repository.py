"""The queries on invitations. Callers control the transactions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.models import Invitation
from inference_core.core.db.engine import Database
from inference_core.core.db.rows import changed_rows


@dataclass(frozen=True, slots=True)
class StoredInvitation:
    """A row of `invitations` as it was read. `invited_by` is None if that account was deleted."""

    id: UUID
    email: str
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


COLUMNS = [getattr(Invitation, column.name) for column in fields(StoredInvitation)]
VALID = select(Invitation.id).where(
    Invitation.token_hash == bindparam("token_hash"),
    Invitation.email == bindparam("email"),
    Invitation.expires_at > bindparam("now"),
)


class InvitationReads:
    """Invitations that are read outside of a session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_valid(self, token_hash: str, email: str, now: datetime) -> bool:
        """Return whether there is an open invitation of this email with this token."""
        values = {"token_hash": token_hash, "email": email, "now": now}
        return await self._database.one(VALID, values) is not None


class InvitationRepository:
    """Invitations in one session. An invitation is open until it is used, withdrawn or expired."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, email: str, invited_by: UUID, expires_at: datetime) -> StoredInvitation:
        """Insert an invitation without a token.

        Raises:
            sqlalchemy.exc.IntegrityError: The email has an invitation.
        """
        row = Invitation(email=email, invited_by=invited_by, expires_at=expires_at)
        self._session.add(row)
        await self._session.flush()
        return StoredInvitation(row.id, row.email, row.invited_by, row.created_at, row.expires_at)

    async def put_token(self, invitation_id: UUID, token_hash: str, now: datetime) -> StoredInvitation | None:
        """Store the hash of the token of an open invitation, in place of an earlier one. None if it is not open."""
        wanted = (Invitation.id == invitation_id, Invitation.expires_at > now)
        if await changed_rows(self._session, update(Invitation).where(*wanted).values(token_hash=token_hash)) != 1:
            return None
        return StoredInvitation(*(await self._session.execute(select(*COLUMNS).where(*wanted))).one())

    async def take(self, token_hash: str, email: str, now: datetime) -> StoredInvitation | None:
        """Use an open invitation. None if there is none, or another request has used it."""
        wanted = (Invitation.token_hash == token_hash, Invitation.email == email, Invitation.expires_at > now)
        row = (await self._session.execute(select(*COLUMNS).where(*wanted))).one_or_none()
        if row is None or await changed_rows(self._session, delete(Invitation).where(*wanted)) != 1:
            return None
        return StoredInvitation(*row)

    async def delete(self, invitation_id: UUID) -> bool:
        """Delete an invitation. Return whether there was one."""
        return await changed_rows(self._session, delete(Invitation).where(Invitation.id == invitation_id)) == 1

    async def count_open(self, now: datetime) -> int:
        """Return the number of open invitations."""
        found = await self._session.execute(
            select(func.count()).select_from(Invitation).where(Invitation.expires_at > now)
        )
        return found.scalar_one()

    async def page(self, now: datetime, offset: int, limit: int) -> list[StoredInvitation]:
        """Return open invitations in the order of their creation."""
        statement = select(*COLUMNS).where(Invitation.expires_at > now)
        ordered = statement.order_by(Invitation.created_at, Invitation.id).offset(offset).limit(limit)
        return [StoredInvitation(*row) for row in await self._session.execute(ordered)]

    async def purge(self, now: datetime) -> int:
        """Delete the expired invitations. Return their number."""
        return await changed_rows(self._session, delete(Invitation).where(Invitation.expires_at <= now))
