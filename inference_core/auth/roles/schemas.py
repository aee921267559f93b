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

    name: str = Field(description="The name, such as `notes:write`.")
    description: str = Field(description="What the permission allows.")


class RolePermissions(BaseModel):
    """The permissions of a role."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"permissions": ["llm:use"]}]})

    permissions: Annotated[list[PermissionName], Field(max_length=MOST_PERMISSIONS_PER_ROLE)] = Field(
        description="The names of the permissions."
    )


class NewRole(RolePermissions):
    """A new role."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "analyst", "permissions": ["llm:use"]}]})

    name: RoleName = Field(description="Lower-case letters, digits, `_` and `-`.")


class RoleView(BaseModel):
    """A role. No feature declares its `unknown_permissions`, which grant nothing."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="The name.")
    permissions: list[str] = Field(description="The names of the permissions.")
    unknown_permissions: list[str] = Field(description="Permissions that no feature declares. They grant nothing.")


class UserRoles(BaseModel):
    """The roles of an account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"roles": ["analyst"]}]})

    roles: Annotated[list[RoleName], Field(max_length=MOST_ROLES_PER_USER)] = Field(
        description="The names of the roles. They replace the present ones."
    )


class UserRolesView(BaseModel):
    """The roles of an account, in alphabetical order."""

    roles: list[str] = Field(description="The names of the roles.")


class OwnPermissions(BaseModel):
    """The permissions of the caller, in alphabetical order."""

    permissions: list[str] = Field(description="The names of the permissions.")
