"""Manage roles and the roles of accounts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.audit import audit
from inference_core.auth.errors import UnknownPermissionError
from inference_core.auth.repository import Account, UserRepository
from inference_core.auth.roles.errors import RoleNotFoundError, TooManyRolesError
from inference_core.auth.roles.repository import RoleRepository
from inference_core.auth.tokens.sessions import Client
from inference_core.core.exceptions import NotFoundError

MOST_ROLES = 200


@dataclass(frozen=True, slots=True)
class RoleInfo:
    """A role. `unknown_permissions` are stored, but no feature declares them any longer."""

    name: str
    permissions: list[str]
    unknown_permissions: list[str]


async def permissions_of(session: AsyncSession, account: Account, declared: frozenset[str]) -> frozenset[str]:
    """Return the permissions of an account, of those that features declare. Superusers have all of them."""
    if account.is_superuser:
        return declared
    return declared & await RoleRepository(session).permissions_of_user(account.id)


@dataclass(frozen=True, slots=True)
class RoleService:
    """The service acts for the superuser `caller_id`. `declared` are the names of the permissions of all features."""

    session: AsyncSession
    declared: frozenset[str]
    client: Client
    caller_id: UUID

    @property
    def roles(self) -> RoleRepository:
        """The repository of this session."""
        return RoleRepository(self.session)

    async def all(self) -> list[RoleInfo]:
        """Return every role, in alphabetical order."""
        return [self._info(name, permissions) for name, permissions in (await self.roles.all()).items()]

    async def create(self, name: str, permissions: Collection[str]) -> RoleInfo:
        """Create a role.

        Raises:
            UnknownPermissionError: No feature declares a permission.
            RoleExistsError: There is a role with this name.
            TooManyRolesError: There are `MOST_ROLES` roles.
        """
        self._require_declared(permissions)
        await self.roles.add(name)
        if await self.roles.count() > MOST_ROLES:
            raise TooManyRolesError
        return await self._set(name, permissions, "role_created")

    async def change(self, name: str, permissions: Collection[str]) -> RoleInfo:
        """Replace the permissions of a role, including those that are no longer declared.

        Raises:
            UnknownPermissionError: No feature declares a permission.
            RoleNotFoundError: There is no such role.
        """
        self._require_declared(permissions)
        if not await self.roles.lock({name}):
            raise RoleNotFoundError
        return await self._set(name, permissions, "role_changed")

    async def delete(self, name: str) -> None:
        """Delete a role, also from its users.

        Raises:
            RoleNotFoundError: There is no such role.
        """
        if not await self.roles.delete(name):
            raise RoleNotFoundError
        audit("role_deleted", self.client, by=self.caller_id, role=name)

    async def of_user(self, user_id: UUID) -> list[str]:
        """Return the roles of an account.

        Raises:
            NotFoundError: There is no such account.
        """
        if await UserRepository(self.session).by_id(user_id) is None:
            raise NotFoundError
        return await self.roles.of_user(user_id)

    async def set_of_user(self, user_id: UUID, names: Collection[str]) -> list[str]:
        """Replace the roles of an account.

        Raises:
            NotFoundError: There is no such account.
            RoleNotFoundError: There is no such role.
        """
        names = set(names)
        if await UserRepository(self.session).lock(user_id) is None:
            raise NotFoundError
        if missing := sorted(names - await self.roles.lock(names)):
            raise RoleNotFoundError(f"There is no such role: {', '.join(missing)}.")
        await self.roles.set_of_user(user_id, names)
        audit("user_roles_changed", self.client, user_id, by=self.caller_id, roles=sorted(names))
        return sorted(names)

    async def _set(self, name: str, permissions: Collection[str], event: str) -> RoleInfo:
        chosen = sorted(set(permissions))
        await self.roles.set_permissions(name, chosen)
        audit(event, self.client, by=self.caller_id, role=name, permissions=chosen)
        return self._info(name, chosen)

    def _require_declared(self, permissions: Collection[str]) -> None:
        if unknown := set(permissions) - self.declared:
            raise UnknownPermissionError(unknown)

    def _info(self, name: str, permissions: list[str]) -> RoleInfo:
        known = [permission for permission in permissions if permission in self.declared]
        return RoleInfo(name, known, [permission for permission in permissions if permission not in self.declared])
