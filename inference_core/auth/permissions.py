"""Protect routes by permissions: `Depends(requires("notes:write"))`."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.models import APIKey, APIKeyIn

from inference_core.auth.access.authentication import (
    AuthenticatedUser,
    permitted_user_of_key,
    permitted_user_of_token,
    user_of_token,
)
from inference_core.auth.access.credentials import API_KEY_HEADER, credential_of
from inference_core.auth.dependencies import get_current_user
from inference_core.auth.errors import AmbiguousCredentialsError
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import route_template
from inference_core.core.permissions import AccessDependency, require_declared
from inference_core.core.problems import responses_for
from inference_core.core.state import state_of

API_KEY_SCHEME = "apiKey"
_API_KEY_MODEL = APIKey.model_validate(
    {"in": APIKeyIn.header, "name": API_KEY_HEADER, "description": "An API key. It can also be sent as bearer token."}
)


class PermissionGuard(AccessDependency):
    """A dependency that returns the caller of a route that accepts API keys.

    Attributes:
        permission: The scope that an API key must have.
        users_need_it: Whether users with access tokens must have the permission too.
        allows_anonymous: Whether it returns None without a credential.
    """

    responses = responses_for(AmbiguousCredentialsError, NotAuthenticatedError, NotPermittedError)

    def __init__(self, permission: str, *, users_need_it: bool, allows_anonymous: bool) -> None:
        self.permission = permission
        self.users_need_it = users_need_it
        self.allows_anonymous = allows_anonymous

    async def __call__(self, request: Request, response: Response) -> AuthenticatedUser | None:
        """Return the caller. No cache stores the response to an API key.

        Raises:
            NotAuthenticatedError: The credential is missing, invalid or no longer valid.
            NotPermittedError: The caller does not have the permission.
            AmbiguousCredentialsError: There is more than one credential.
            FeatureError: No feature declares the permission. The check of the application does not find every route.
        """
        state = state_of(request)
        require_declared(state.service, self.permission, f"route {request.method} {route_template(request.scope)}")
        credential = credential_of(request.scope["headers"])
        if credential is None:
            if self.allows_anonymous:
                return None
            raise NotAuthenticatedError
        if credential.is_api_key:
            # Shared caches know `Authorization`, but can store the response to a request with another header.
            response.headers["Cache-Control"] = "no-store"
            return await permitted_user_of_key(state, credential.text, self.permission)
        if self.users_need_it:
            return await permitted_user_of_token(state, credential.text, self.permission)
        return await user_of_token(state, credential.text)

    @property
    def security_schemes(self) -> dict[str, dict[str, Any]]:
        """The schemes of access tokens and of API keys."""
        key = jsonable_encoder(_API_KEY_MODEL, by_alias=True, exclude_none=True)
        return {**get_current_user.security_schemes, API_KEY_SCHEME: key}


def requires(permission: str) -> PermissionGuard:
    """Return a dependency that requires a permission, and returns the caller as `AuthenticatedUser`.

    Superusers have every permission; other users have those of their roles. An API key must also have the permission as
    a scope. The application refuses to start if no feature declares the permission.
    """
    return PermissionGuard(permission, users_need_it=True, allows_anonymous=False)


def keys_with(scope: str, *, allows_anonymous: bool = False) -> PermissionGuard:
    """Return a dependency for a route that every user can call, and that also accepts API keys with this scope.

    The owner of the key must have the permission of the same name. The dependency returns the caller, or None for a
    call without a credential if `allows_anonymous`.
    """
    return PermissionGuard(scope, users_need_it=False, allows_anonymous=allows_anonymous)
