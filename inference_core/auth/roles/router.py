"""`/api/v1/admin/roles` and related routes: roles, permissions and the roles of accounts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from inference_core.auth.dependencies import ClientDep, CurrentUser, SuperUser, get_superuser
from inference_core.auth.errors import UnknownPermissionError
from inference_core.auth.roles.errors import RoleExistsError, RoleNotFoundError, TooManyRolesError
from inference_core.auth.roles.schemas import (
    DeclaredPermission,
    NewRole,
    OwnPermissions,
    RoleName,
    RolePermissions,
    RoleView,
    UserRoles,
    UserRolesView,
)
from inference_core.auth.roles.service import RoleService, permissions_of
from inference_core.auth.schemas import Done
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.exceptions import NotAuthenticatedError, NotFoundError, NotPermittedError
from inference_core.core.paths import ADMIN_PREFIX, AUTH_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.state import StateDep

NameInPath = Annotated[RoleName, Path(description="The name of the role.")]
own_router = APIRouter(
    prefix=AUTH_PREFIX, tags=["accounts"], responses=responses_for(NotAuthenticatedError, DatabaseUnavailableError)
)
router = APIRouter(
    prefix=ADMIN_PREFIX,
    tags=["administration"],
    dependencies=[Depends(get_superuser)],
    responses=responses_for(NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError),
)


async def get_reading_service(
    state: StateDep, session: ReadSessionDep, client: ClientDep, caller: SuperUser
) -> RoleService:
    """Return the service for a request that changes nothing."""
    return RoleService(session, state.service.permission_names, client, caller.account.id)


async def get_service(state: StateDep, session: SessionDep, client: ClientDep, caller: SuperUser) -> RoleService:
    """Return the service for a request that changes roles."""
    return RoleService(session, state.service.permission_names, client, caller.account.id)


ReadingService = Annotated[RoleService, Depends(get_reading_service)]
Service = Annotated[RoleService, Depends(get_service)]


@own_router.get("/permissions")
async def own_permissions(state: StateDep, session: ReadSessionDep, user: CurrentUser) -> OwnPermissions:
    """Return the permissions of the caller, which an API key can have as scopes."""
    return OwnPermissions(
        permissions=sorted(await permissions_of(session, user.account, state.service.permission_names))
    )


@router.get("/permissions")
async def list_permissions(state: StateDep) -> list[DeclaredPermission]:
    """List the permissions that the features of the service declare."""
    return [DeclaredPermission.model_validate(permission) for permission in state.service.permissions]


@router.get("/roles")
async def list_roles(service: ReadingService) -> list[RoleView]:
    """List the roles."""
    return [RoleView.model_validate(role) for role in await service.all()]


@router.post(
    "/roles",
    status_code=HTTPStatus.CREATED,
    responses=responses_for(RoleExistsError, UnknownPermissionError, TooManyRolesError),
)
async def create_role(role: NewRole, service: Service) -> RoleView:
    """Create a role."""
    return RoleView.model_validate(await service.create(role.name, role.permissions))


@router.put("/roles/{name}", responses=responses_for(RoleNotFoundError, UnknownPermissionError))
async def change_role(name: NameInPath, role: RolePermissions, service: Service) -> RoleView:
    """Replace the permissions of a role. The change applies to the next request of its users."""
    return RoleView.model_validate(await service.change(name, role.permissions))


@router.delete("/roles/{name}", responses=responses_for(RoleNotFoundError))
async def delete_role(name: NameInPath, service: Service) -> Done:
    """Delete a role. Its users lose it with their next request."""
    await service.delete(name)
    return Done(message="The role has been deleted.")


@router.get("/users/{user_id}/roles", responses=responses_for(NotFoundError))
async def roles_of_user(user_id: UUID, service: ReadingService) -> UserRolesView:
    """Return the roles of an account."""
    return UserRolesView(roles=await service.of_user(user_id))


@router.put("/users/{user_id}/roles", responses=responses_for(NotFoundError, RoleNotFoundError))
async def set_roles_of_user(user_id: UUID, roles: UserRoles, service: Service) -> UserRolesView:
    """Replace the roles of an account. The change applies to its next request."""
    return UserRolesView(roles=await service.set_of_user(user_id, roles.roles))
