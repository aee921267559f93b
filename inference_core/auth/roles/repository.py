"""The queries on roles and on the permissions of accounts. Callers control the transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from inference_core.auth.models import Role, RolePermission, User, UserRole
from inference_core.auth.repository import BY_TOKEN, Account
from inference_core.auth.roles.errors import RoleExistsError
from inference_core.core.db.engine import Database
from inference_core.core.db.rows import changed_rows

# Whether a role of the account in the same statement has a permission.
IS_GRANTED = (
    select(RolePermission.role)
    .join(UserRole, UserRole.role == RolePermission.role)
    .where(UserRole.user_id == User.id, RolePermission.permission == bindparam("permission"))
    .correlate(User)
    .exists()
    .label("is_granted")
)
BY_TOKEN_WITH_PERMISSION = BY_TOKEN.add_columns(IS_GRANTED)


class PermissionReads:
    """Accounts together with one of their permissions, read by key outside of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_token(self, user_id: UUID, session_id: str, permission: str) -> tuple[Account, bool, bool] | None:
        """Return an account, whether this session of it was ended, and whether a role grants the permission."""
        values = {"user_id": user_id, "session_id": session_id, "permission": permission}
        row = await self._database.one(BY_TOKEN_WITH_PERMISSION, values)
        return (Account(*row[:-2]), row[-2] is not None, bool(row[-1])) if row else None


class RoleRepository:
    """Roles and the roles of accounts, in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> dict[str, list[str]]:
        """Return the permissions of every role by its name, both in alphabetical order."""
        statement = (
            select(Role.name, RolePermission.permission)
            .outerjoin(RolePermission, RolePermission.role == Role.name)
            .order_by(Role.name, RolePermission.permission)
        )
        found: dict[str, list[str]] = defaultdict(list)
        for name, permission in await self._session.execute(statement):
            found[name] += [permission] if permission is not None else []
        return dict(found)

    async def count(self) -> int:
        """Return the number of roles."""
        return (await self._session.execute(select(func.count()).select_from(Role))).scalar_one()

    async def add(self, name: str) -> None:
        """Insert a role without permissions.

        Raises:
            RoleExistsError: There is a role with this name.
        """
        try:
            await self._session.execute(insert(Role).values(name=name))
        except IntegrityError as error:
            raise RoleExistsError from error

    async def lock(self, names: Collection[str]) -> set[str]:
        """Return which of the roles exist. They cannot be deleted until the session ends."""
        statement = select(Role.name).where(Role.name.in_(names)).order_by(Role.name).with_for_update()
        return set((await self._session.execute(statement)).scalars())

    async def set_permissions(self, name: str, permissions: Collection[str]) -> None:
        """Replace the permissions of a role, which is locked."""
        await self._session.execute(delete(RolePermission).where(RolePermission.role == name))
        if permissions:
            rows = [{"role": name, "permission": permission} for permission in sorted(permissions)]
            await self._session.execute(insert(RolePermission), rows)

    async def delete(self, name: str) -> bool:
        """Delete a role, also from its users. Return whether it existed."""
        return await changed_rows(self._session, delete(Role).where(Role.name == name)) == 1

    async def of_user(self, user_id: UUID) -> list[str]:
        """Return the roles of an account in alphabetical order."""
        statement = select(UserRole.role).where(UserRole.user_id == user_id).order_by(UserRole.role)
        return list((await self._session.execute(statement)).scalars())

    async def set_of_user(self, user_id: UUID, roles: Collection[str]) -> None:
        """Replace the roles of an account. The account and the roles are locked."""
        await self._session.execute(delete(UserRole).where(UserRole.user_id == user_id))
        if roles:
            rows = [{"user_id": user_id, "role": role} for role in sorted(roles)]
            await self._session.execute(insert(UserRole), rows)

    async def permissions_of_user(self, user_id: UUID) -> set[str]:
        """Return the permissions that the roles of an account grant."""
        statement = (
            select(RolePermission.permission)
            .join(UserRole, UserRole.role == RolePermission.role)
            .where(UserRole.user_id == user_id)
            .distinct()
        )
        return set((await self._session.execute(statement)).scalars())
