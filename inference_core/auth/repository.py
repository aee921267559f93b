"""Every query on accounts; callers decide about transactions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.models import EndedSession, OneTimeToken, TokenPurpose, User
from inference_core.db.base import utc_now
from inference_core.db.engine import Database


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users` as it was read."""

    id: UUID
    username: str
    email: str
    first_name: str | None
    last_name: str | None
    hashed_password: str = field(repr=False)
    is_active: bool
    is_verified: bool
    is_superuser: bool
    token_version: int
    kept_session_id: str | None
    created_at: datetime
    updated_at: datetime

    def honours(self, version: int, session_id: str) -> bool:
        """Whether tokens of this session, issued under this token version, still count."""
        return self.is_active and (version == self.token_version or session_id == self.kept_session_id)


COLUMNS = [getattr(User, column.name) for column in fields(Account)]
# Read by every authenticated request: the account and whether the caller's session has been ended, in one round trip.
BY_TOKEN = (
    select(*COLUMNS, EndedSession.session_id)
    .outerjoin(EndedSession, EndedSession.session_id == bindparam("session_id"))
    .where(User.id == bindparam("user_id"))
)
BY_ID = select(*COLUMNS).where(User.id == bindparam("user_id"))
BY_LOGIN = select(*COLUMNS).where(or_(User.username == bindparam("login"), User.email == bindparam("login")))
# Locked, so that a token is mailed to this address only while it is the account's. (SQLite has one writer anyway.)
BY_EMAIL = select(*COLUMNS).where(User.email == bindparam("email")).with_for_update()


class AccountReads:
    """Accounts by key, read outside of any session: what logins and authenticated requests ask."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_token(self, user_id: UUID, session_id: str) -> tuple[Account, bool] | None:
        """The account, and whether this session of it was ended."""
        row = await self._database.one(BY_TOKEN, {"user_id": user_id, "session_id": session_id})
        return (Account(*row[:-1]), row[-1] is not None) if row else None

    async def by_id(self, user_id: UUID) -> Account | None:
        """The account with this id."""
        row = await self._database.one(BY_ID, {"user_id": user_id})
        return Account(*row) if row else None

    async def by_login(self, login: str) -> Account | None:
        """The account whose user name or email this is, in any case."""
        # A user name has no @ and an email has one, so at most one row matches; PostgreSQL refuses NUL outright.
        if "\0" in login:
            return None
        row = await self._database.one(BY_LOGIN, {"login": login.lower()})
        return Account(*row) if row else None


class UserRepository:
    """Accounts and what belongs to them, over one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_id(self, user_id: UUID) -> Account | None:
        """The account with this id."""
        return self._account((await self._session.execute(BY_ID, {"user_id": user_id})).one_or_none())

    async def by_email(self, email: str) -> Account | None:
        """The account with this email, which keeps it until the session ends."""
        return self._account((await self._session.execute(BY_EMAIL, {"email": email})).one_or_none())

    async def add(self, user: User) -> User:
        """Insert.

        Raises:
            sqlalchemy.exc.IntegrityError: if the user name or the email is taken.
        """
        self._session.add(user)
        await self._session.flush()
        return user

    async def change(self, user_id: UUID, **values: Any) -> int:
        """Set columns of an account; how many rows that were.

        Raises:
            sqlalchemy.exc.IntegrityError: if the new email is taken.
        """
        values.setdefault("updated_at", utc_now())
        return await self._count(update(User).where(User.id == user_id).values(**values))

    async def set_password(self, user_id: UUID, hashed: str, *, kept_session_id: str | None) -> int:
        """Store a new hash; access tokens of all sessions but the kept one count no longer."""
        return await self.change(user_id, **_new_password(hashed, kept_session_id))

    async def replace_password(self, account: Account, hashed: str, *, kept_session_id: str | None) -> bool:
        """As `set_password`, unless the password is no longer the one that `account` was read with."""
        statement = update(User).where(User.id == account.id, User.hashed_password == account.hashed_password)
        return await self._count(statement.values(**_new_password(hashed, kept_session_id))) == 1

    async def rehash(self, user_id: UUID, old: str, new: str) -> None:
        """Replace a hash by a newer one of the same password, unless the password has been changed meanwhile."""
        await self._count(
            update(User).where(User.id == user_id, User.hashed_password == old).values(hashed_password=new)
        )

    async def revoke_tokens(self, user_id: UUID) -> None:
        """Make every access token of the account count no longer."""
        await self.change(user_id, token_version=User.token_version + 1, kept_session_id=None)

    async def put_token(self, user_id: UUID, purpose: TokenPurpose, token_hash: str, expires_at: datetime) -> None:
        """Store a mailed token's hash in place of an older one for the same purpose."""
        await self._count(delete(OneTimeToken).where(OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose))
        self._session.add(OneTimeToken(user_id=user_id, purpose=purpose, token_hash=token_hash, expires_at=expires_at))
        await self._session.flush()

    async def forget_tokens(self, user_id: UUID) -> None:
        """Take back every mailed token of the account."""
        await self._count(delete(OneTimeToken).where(OneTimeToken.user_id == user_id))

    async def take_token(self, purpose: TokenPurpose, token_hash: str) -> UUID | None:
        """Use a mailed token up; whose it was, or None if it is unknown, used or expired."""
        wanted = (OneTimeToken.purpose == purpose, OneTimeToken.token_hash == token_hash)
        found = await self._session.execute(select(OneTimeToken.user_id, OneTimeToken.expires_at).where(*wanted))
        row = found.one_or_none()
        if row is None:
            return None
        # The account first, as everywhere: two who lock in a different order could wait for each other.
        await self._session.execute(select(User.id).where(User.id == row.user_id).with_for_update())
        # Of two who found it only one deletes it.
        if await self._count(delete(OneTimeToken).where(*wanted)) != 1:
            return None
        return cast("UUID", row.user_id) if row.expires_at > utc_now() else None

    async def end_session(self, session_id: str, until: datetime) -> None:
        """Refuse access tokens of a session that was ended, until the last of them has expired."""
        await self._session.merge(EndedSession(session_id=session_id, expires_at=until))
        await self._session.flush()

    async def purge(self, now: datetime) -> int:
        """Delete what has expired; how many rows."""
        ended = await self._count(delete(EndedSession).where(EndedSession.expires_at < now))
        return ended + await self._count(delete(OneTimeToken).where(OneTimeToken.expires_at < now))

    async def page(self, search: str, offset: int, limit: int) -> tuple[list[Account], int]:
        """Accounts in the order they were made, and how many there are; `search` is part of a name or email."""
        conditions = []
        if search:
            text = search.lower()
            conditions.append(
                or_(User.username.contains(text, autoescape=True), User.email.contains(text, autoescape=True))
            )
        statement = select(*COLUMNS).where(*conditions).order_by(User.created_at, User.id).offset(offset).limit(limit)
        rows = await self._session.execute(statement)
        total = await self._session.execute(select(func.count()).select_from(User).where(*conditions))
        return [Account(*row) for row in rows], total.scalar_one()

    async def _count(self, statement: Any) -> int:  # an UPDATE or a DELETE
        result = cast("CursorResult[Any]", await self._session.execute(statement))
        return result.rowcount

    @staticmethod
    def _account(row: Any) -> Account | None:  # a Row of COLUMNS
        return Account(*row) if row else None


def _new_password(hashed: str, kept_session_id: str | None) -> dict[str, Any]:
    return {
        "hashed_password": hashed,
        "token_version": User.token_version + 1,
        "kept_session_id": kept_session_id,
        "updated_at": utc_now(),
    }
