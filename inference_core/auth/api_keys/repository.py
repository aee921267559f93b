"""The queries on API keys. Callers control the transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.api_keys.keys import prefix_of
from inference_core.auth.models import ApiKey, User
from inference_core.auth.repository import COLUMNS, Account
from inference_core.auth.roles.repository import IS_GRANTED
from inference_core.core.db.engine import Database
from inference_core.core.db.rows import changed_rows

# One round trip: the key, its owner, and whether a role grants the owner a permission.
BY_ID = (
    select(*COLUMNS, IS_GRANTED, ApiKey.secret_hash, ApiKey.scopes, ApiKey.expires_at, ApiKey.last_used_at)
    .select_from(ApiKey)
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.id == bindparam("key_id"))
)
_TABLE = cast("Table", ApiKey.__table__)
SET_LAST_USED = update(_TABLE).where(_TABLE.c.id == bindparam("key_id")).values(last_used_at=bindparam("used_at"))


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key as a request needs it. `is_granted` states whether a role grants its owner the requested permission."""

    owner: Account
    is_granted: bool
    secret_hash: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime | None
    last_used_at: datetime | None

    def is_expired(self, now: datetime) -> bool:
        """Return whether the key has expired."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its owner sees it."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def prefix(self) -> str:
        """The public beginning of the key."""
        return prefix_of(self.id)


class ApiKeyReads:
    """API keys by id, read outside of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_id(self, key_id: str, permission: str) -> FoundKey | None:
        """Return a key with its owner, and whether a role grants the owner the permission."""
        row = await self._database.one(BY_ID, {"key_id": key_id, "permission": permission})
        if row is None:
            return None
        is_granted, secret_hash, scopes, expires_at, last_used_at = row[len(COLUMNS) :]
        owner = Account(*row[: len(COLUMNS)])
        return FoundKey(owner, bool(is_granted), secret_hash, frozenset(scopes.split()), expires_at, last_used_at)


class ApiKeyRepository:
    """API keys in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, key: ApiKey) -> None:
        """Insert a key. Its owner is locked."""
        self._session.add(key)
        await self._session.flush()

    async def count(self, user_id: UUID) -> int:
        """Return the number of keys of an account, including expired ones."""
        statement = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id)
        return (await self._session.execute(statement)).scalar_one()

    async def all_of(self, user_id: UUID) -> list[StoredKey]:
        """Return the keys of an account, the newest first."""
        columns = (ApiKey.id, ApiKey.name, ApiKey.scopes, ApiKey.created_at, ApiKey.expires_at, ApiKey.last_used_at)
        statement = select(*columns).where(ApiKey.user_id == user_id).order_by(ApiKey.created_at.desc(), ApiKey.id)
        return [
            StoredKey(row.id, row.name, row.scopes.split(), row.created_at, row.expires_at, row.last_used_at)
            for row in await self._session.execute(statement)
        ]

    async def delete(self, user_id: UUID, key_id: str) -> bool:
        """Delete a key of an account. Return whether the account had it."""
        statement = delete(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id)
        return await changed_rows(self._session, statement) == 1

    async def delete_all_of(self, user_id: UUID) -> int:
        """Delete the keys of an account. Return their number."""
        return await changed_rows(self._session, delete(ApiKey).where(ApiKey.user_id == user_id))

    async def set_last_used(self, uses: Mapping[str, datetime], unless_since: datetime) -> None:
        """Set the last use of keys by their ids. Later uses than `unless_since` are kept, and missing keys ignored.

        A key that another transaction has locked is skipped: it is revoked, or another process stores its use. A wait
        for it could cause a deadlock.
        """
        not_since = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < unless_since)
        free = select(ApiKey.id).where(ApiKey.id.in_(uses), not_since).with_for_update(skip_locked=True)
        rows = [{"key_id": key_id, "used_at": uses[key_id]} for key_id in (await self._session.execute(free)).scalars()]
        if rows:
            connection = await self._session.connection()
            await connection.execute(SET_LAST_USED, rows)

    async def purge(self, now: datetime) -> int:
        """Delete the keys that have expired. Return their number."""
        return await changed_rows(self._session, delete(ApiKey).where(ApiKey.expires_at <= now))
