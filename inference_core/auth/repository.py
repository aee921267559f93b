"""The queries on accounts. Callers control the transactions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.models import EndedSession, MailDue, OneTimeToken, TokenPurpose, User
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database
from inference_core.core.db.rows import changed_rows


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
    is_pending: bool
    token_version: int
    kept_session_id: str | None
    created_at: datetime
    updated_at: datetime

    def honours(self, version: int, session_id: str) -> bool:
        """Return whether access tokens of this session and this token version are valid."""
        return self.is_active and (version == self.token_version or session_id == self.kept_session_id)


COLUMNS = [getattr(User, column.name) for column in fields(Account)]
# Every authenticated request reads the account and whether the caller's session has ended, in one round trip.
BY_TOKEN = (
    select(*COLUMNS, EndedSession.session_id)
    .outerjoin(EndedSession, EndedSession.session_id == bindparam("session_id"))
    .where(User.id == bindparam("user_id"))
)
BY_ID = select(*COLUMNS).where(User.id == bindparam("user_id"))
BY_LOGIN = select(*COLUMNS).where(or_(User.username == bindparam("login"), User.email == bindparam("login")))
# The row is locked, so a token is mailed only to the present email of the account. SQLite has one writer anyway.
BY_EMAIL = select(*COLUMNS).where(User.email == bindparam("email")).with_for_update()
# The clocks of replicas can differ by this much. An ended session is refused until its tokens have expired on all.
CLOCKS_DIFFER_BY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A stored mailed token. `email` is the new address of a token for a change of email."""

    user_id: UUID
    expires_at: datetime
    email: str | None


TOKEN = select(*(getattr(OneTimeToken, column.name) for column in fields(StoredToken))).where(
    OneTimeToken.purpose == bindparam("purpose"), OneTimeToken.token_hash == bindparam("token_hash")
)


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail that was committed and not sent yet."""

    id: UUID
    task: str
    arguments: list[str]


class AccountReads:
    """Accounts by key, read outside of sessions, for logins and authenticated requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_token(self, user_id: UUID, session_id: str) -> tuple[Account, bool] | None:
        """Return the account, and whether this session has ended."""
        row = await self._database.one(BY_TOKEN, {"user_id": user_id, "session_id": session_id})
        return (Account(*row[:-1]), row[-1] is not None) if row else None

    async def by_id(self, user_id: UUID) -> Account | None:
        """Return the account with this id."""
        row = await self._database.one(BY_ID, {"user_id": user_id})
        return Account(*row) if row else None

    async def by_login(self, login: str) -> Account | None:
        """Return the account with this user name or email, as normalized by `read_login`."""
        # Only an email contains @, so at most one row matches. PostgreSQL refuses NUL.
        if "\0" in login:
            return None
        row = await self._database.one(BY_LOGIN, {"login": login})
        return Account(*row) if row else None

    async def mailed_token(self, purpose: TokenPurpose, token_hash: str) -> StoredToken | None:
        """Return an unused mailed token, which may have expired."""
        row = await self._database.one(TOKEN, {"purpose": purpose, "token_hash": token_hash})
        return StoredToken(*row) if row else None


class UserRepository:
    """Accounts and their data, in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_id(self, user_id: UUID) -> Account | None:
        """Return the account with this id."""
        return self._account((await self._session.execute(BY_ID, {"user_id": user_id})).one_or_none())

    async def lock(self, user_id: UUID) -> Account | None:
        """Return the account, which no other session can change or delete until this one ends."""
        found = await self._session.execute(BY_ID.with_for_update(), {"user_id": user_id})
        return self._account(found.one_or_none())

    async def by_email(self, email: str) -> Account | None:
        """Return the account with this email. No other session can change it until this one ends."""
        return self._account((await self._session.execute(BY_EMAIL, {"email": email})).one_or_none())

    async def add(self, user: User) -> User:
        """Insert an account.

        Raises:
            sqlalchemy.exc.IntegrityError: The user name or the email is taken.
        """
        self._session.add(user)
        await self._session.flush()
        return user

    async def change(self, user_id: UUID, **values: Any) -> int:
        """Set columns of an account. Return the number of changed rows.

        Raises:
            sqlalchemy.exc.IntegrityError: The new email is taken.
        """
        values.setdefault("updated_at", utc_now())
        return await changed_rows(self._session, update(User).where(User.id == user_id).values(**values))

    async def set_password(self, user_id: UUID, hashed: str, *, kept_session_id: str | None) -> int:
        """Store a new hash. The access tokens of all sessions except the kept one become invalid."""
        return await self.change(user_id, **_new_password(hashed, kept_session_id))

    async def replace_password(self, account: Account, hashed: str, *, kept_session_id: str | None) -> bool:
        """Like `set_password`, but do nothing and return False if the password was changed since `account` was read."""
        statement = update(User).where(User.id == account.id, User.hashed_password == account.hashed_password)
        return await changed_rows(self._session, statement.values(**_new_password(hashed, kept_session_id))) == 1

    async def rehash(self, user_id: UUID, old: str, new: str) -> None:
        """Replace a hash by a newer one of the same password, unless the password was changed meanwhile."""
        await changed_rows(
            self._session,
            update(User).where(User.id == user_id, User.hashed_password == old).values(hashed_password=new),
        )

    async def revoke_tokens(self, user_id: UUID) -> None:
        """Make all access tokens of the account invalid."""
        await self.change(user_id, token_version=User.token_version + 1, kept_session_id=None)

    async def put_token(
        self, user_id: UUID, purpose: TokenPurpose, token_hash: str, expires_at: datetime, email: str | None = None
    ) -> None:
        """Store the hash of a mailed token.

        Earlier tokens stay valid. Otherwise, anybody could invalidate the owner's link by requesting another one.
        """
        self._session.add(
            OneTimeToken(user_id=user_id, purpose=purpose, token_hash=token_hash, expires_at=expires_at, email=email)
        )
        await self._session.flush()

    async def forget_tokens(self, user_id: UUID) -> None:
        """Delete all mailed tokens of the account."""
        await changed_rows(self._session, delete(OneTimeToken).where(OneTimeToken.user_id == user_id))

    async def take_token(self, purpose: TokenPurpose, token_hash: str, now: datetime) -> StoredToken | None:
        """Use a mailed token, and delete the others for the same purpose. None if it is unknown, used or expired."""
        wanted = (OneTimeToken.purpose == purpose, OneTimeToken.token_hash == token_hash)
        found = await self._session.execute(TOKEN, {"purpose": purpose, "token_hash": token_hash})
        row = found.one_or_none()
        if row is None:
            return None
        # All transactions lock the account first. A different order could cause a deadlock.
        await self._session.execute(select(User.id).where(User.id == row.user_id).with_for_update())
        # Several requests may have found the token. Only one of them deletes it.
        if await changed_rows(self._session, delete(OneTimeToken).where(*wanted)) != 1:
            return None
        if row.expires_at <= now:
            return None
        others = (OneTimeToken.user_id == row.user_id, OneTimeToken.purpose == purpose)
        await changed_rows(self._session, delete(OneTimeToken).where(*others))
        return StoredToken(*row)

    async def end_session(self, session_id: str, until: datetime) -> None:
        """Refuse the access tokens of an ended session until the last of them has expired."""
        await self._session.merge(EndedSession(session_id=session_id, expires_at=until))
        await self._session.flush()

    async def purge(self, now: datetime, pending_since: datetime) -> int:
        """Delete expired rows, and accounts that are unconfirmed since `pending_since`. Return the number of rows.

        `now` is a time of the clock of Redis, by which mailed tokens expire.
        """
        old_sessions = delete(EndedSession).where(EndedSession.expires_at < now - CLOCKS_DIFFER_BY)
        old_tokens = delete(OneTimeToken).where(OneTimeToken.expires_at < now)
        never_confirmed = delete(User).where(User.is_pending, User.created_at < pending_since)
        statements = (old_sessions, old_tokens, never_confirmed)
        return sum([await changed_rows(self._session, statement) for statement in statements])

    async def page(self, search: str, offset: int, limit: int) -> tuple[list[Account], int]:
        """Return a page of accounts in the order of their creation, and the number of all matches of `search`."""
        conditions = []
        if search:
            conditions.append(
                or_(User.username.contains(search, autoescape=True), User.email.contains(search, autoescape=True))
            )
        statement = select(*COLUMNS).where(*conditions).order_by(User.created_at, User.id).offset(offset).limit(limit)
        rows = await self._session.execute(statement)
        total = await self._session.execute(select(func.count()).select_from(User).where(*conditions))
        return [Account(*row) for row in rows], total.scalar_one()

    @staticmethod
    def _account(row: Any) -> Account | None:  # a Row of COLUMNS
        return Account(*row) if row else None


class MailDueRepository:
    """Committed mails that have not been sent yet, in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, task: str, arguments: Sequence[str], send_at: datetime) -> UUID:
        """Store a mail task until it is done. Return the id for its task."""
        mail = MailDue(task=task, arguments=json.dumps(arguments), send_at=send_at)
        self._session.add(mail)
        await self._session.flush()
        return mail.id

    async def is_due(self, mail_id: UUID) -> bool:
        """Return whether the mail has not been sent yet."""
        found = await self._session.execute(select(MailDue.id).where(MailDue.id == mail_id))
        return found.one_or_none() is not None

    async def done(self, mail_id: UUID) -> None:
        """Delete a mail that was sent or is not to be sent."""
        await self._session.execute(delete(MailDue).where(MailDue.id == mail_id))

    async def take_due(self, now: datetime, again_at: datetime, most: int) -> list[StoredMail]:
        """Return at most `most` mails that should have been sent by `now`. Each is due again at `again_at`."""
        query = select(MailDue.id, MailDue.task, MailDue.arguments).where(MailDue.send_at <= now)
        rows = (await self._session.execute(query.order_by(MailDue.send_at).limit(most))).all()
        ids = [row.id for row in rows]
        await self._session.execute(update(MailDue).where(MailDue.id.in_(ids)).values(send_at=again_at))
        return [StoredMail(row.id, row.task, json.loads(row.arguments)) for row in rows]

    async def give_up(self, older_than: datetime) -> int:
        """Delete the mails that were created before `older_than`. Return their number."""
        statement = delete(MailDue).where(MailDue.created_at < older_than)
        return await changed_rows(self._session, statement)


def _new_password(hashed: str, kept_session_id: str | None) -> dict[str, Any]:
    return {
        "hashed_password": hashed,
        "token_version": User.token_version + 1,
        "kept_session_id": kept_session_id,
        "updated_at": utc_now(),
    }
