"""Create, list and revoke API keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.api_keys.errors import ApiKeyNotFoundError, TooManyApiKeysError
from inference_core.auth.api_keys.keys import PlainKey
from inference_core.auth.api_keys.repository import ApiKeyRepository, StoredKey
from inference_core.auth.audit import audit
from inference_core.auth.errors import UnknownPermissionError
from inference_core.auth.models import ApiKey
from inference_core.auth.repository import Account, UserRepository
from inference_core.auth.roles.service import permissions_of
from inference_core.auth.tokens.sessions import Client
from inference_core.core.db.base import utc_now
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError


@dataclass(frozen=True, slots=True)
class ApiKeyService:
    """The keys of the caller `account`.

    `declared` are the names of the permissions of all features. An account can have `most_keys` keys.
    """

    session: AsyncSession
    declared: frozenset[str]
    most_keys: int
    client: Client
    account: Account

    @property
    def keys(self) -> ApiKeyRepository:
        """The repository of this session."""
        return ApiKeyRepository(self.session)

    async def create(
        self, name: str, scopes: Collection[str], expires_in_days: int | None
    ) -> tuple[StoredKey, PlainKey]:
        """Create a key. Only its hash is stored.

        Raises:
            NotAuthenticatedError: The account has lost its access since the request was authenticated.
            UnknownPermissionError: No feature declares a scope.
            NotPermittedError: The caller does not have a permission that is to be a scope.
            TooManyApiKeysError: The account has `most_keys` keys.
        """
        # A password reset or a deactivation deletes the keys of the account, and must not miss this one.
        current = await UserRepository(self.session).lock(self.account.id)
        if current is None or not current.is_active or current.token_version != self.account.token_version:
            raise NotAuthenticatedError
        chosen = sorted(set(scopes))
        if unknown := set(chosen) - self.declared:
            raise UnknownPermissionError(unknown)
        if excess := set(chosen) - await permissions_of(self.session, current, self.declared):
            raise NotPermittedError(f"You do not have the permission {', '.join(sorted(excess))}.")
        if await self.keys.count(current.id) >= self.most_keys:
            raise TooManyApiKeysError
        plain, now = PlainKey.new(), utc_now()
        key = ApiKey(
            id=plain.id,
            user_id=current.id,
            name=name,
            secret_hash=plain.secret_hash,
            scopes=" ".join(chosen),
            created_at=now,
            expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
        )
        await self.keys.add(key)
        audit("api_key_created", self.client, current.id, api_key_id=plain.id, scopes=chosen)
        return StoredKey(plain.id, name, chosen, now, key.expires_at, None), plain

    async def all(self) -> list[StoredKey]:
        """Return the keys, the newest first."""
        return await self.keys.all_of(self.account.id)

    async def revoke(self, key_id: str) -> None:
        """Delete a key. Requests with it are refused from now on.

        Raises:
            ApiKeyNotFoundError: The account has no such key.
        """
        if not await self.keys.delete(self.account.id, key_id):
            raise ApiKeyNotFoundError
        audit("api_key_revoked", self.client, self.account.id, api_key_id=key_id)


async def revoke_all(session: AsyncSession, client: Client, user_id: UUID, by: UUID | None = None) -> None:
    """Delete the keys of an account. `by` is the superuser who caused it, if any."""
    if await ApiKeyRepository(session).delete_all_of(user_id):
        audit("api_keys_revoked", client, user_id, by=by)
