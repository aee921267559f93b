"""The errors of roles."""

from __future__ import annotations

from inference_core.core.exceptions import ConflictError, InvalidInputError, NotFoundError


class RoleExistsError(ConflictError):
    """Raised if a role with this name exists."""

    code = "role_exists"
    detail = "A role with this name already exists."


class RoleNotFoundError(NotFoundError):
    """Raised if there is no role with this name."""

    code = "role_not_found"
    detail = "There is no such role."


class TooManyRolesError(InvalidInputError):
    """Raised if the maximum number of roles is reached."""

    code = "too_many_roles"
    detail = "The maximum number of roles is reached. Delete a role first."
