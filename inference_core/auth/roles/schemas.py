"""The request and response bodies of the role routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from inference_core.auth.models import ROLE_NAME_LENGTH
from inference_core.core.feature import PERMISSION_NAME

MOST_PERMISSIONS_PER_ROLE = 100
MOST_ROLES_PER_USER = 20

# Plain lower-case letters, so that no two names look alike.
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=ROLE_NAME_LENGTH)]
PermissionName = Annotated[str, StringConstraints(pattern=f"^{PERMISSION_NAME.pattern}$")]


class DeclaredPermission(BaseModel):
    """A permission that routes of this service require."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str


class RolePermissions(BaseModel):
    """The permissions of a role."""

    permissions: Annotated[list[PermissionName], Field(max_length=MOST_PERMISSIONS_PER_ROLE)]


class NewRole(RolePermissions):
    """A new role."""

    name: RoleName


class RoleView(BaseModel):
    """A role. No feature declares its `unknown_permissions`, which grant nothing."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    permissions: list[str]
    unknown_permissions: list[str]


class UserRoles(BaseModel):
    """The roles of an account."""

    roles: Annotated[list[RoleName], Field(max_length=MOST_ROLES_PER_USER)]


class UserRolesView(BaseModel):
    """The roles of an account, in alphabetical order."""

    roles: list[str]


class OwnPermissions(BaseModel):
    """The permissions of the caller, in alphabetical order."""

    permissions: list[str]
