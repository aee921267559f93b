"""The dependencies by which other features get the current user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.encoders import jsonable_encoder
from fastapi.security import OAuth2PasswordBearer

from inference_core.auth.access.authentication import AuthenticatedUser, user_of_token
from inference_core.auth.access.credentials import credential_of
from inference_core.auth.accounts.account_service import AccountService
from inference_core.auth.accounts.login_service import LoginService
from inference_core.auth.accounts.registration_service import RegistrationService
from inference_core.auth.errors import AmbiguousCredentialsError, ApiKeyNotAcceptedError
from inference_core.auth.invitations.service import InvitationService
from inference_core.auth.mail.mailing import Mailing
from inference_core.auth.settings import AuthSettings
from inference_core.auth.state import AuthState
from inference_core.auth.tokens.sessions import Client
from inference_core.core.addresses import address_prefix, client_address
from inference_core.core.dependencies import SessionDep
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import AUTH_PREFIX
from inference_core.core.permissions import AccessDependency
from inference_core.core.problems import responses_for
from inference_core.core.state import AppState, StateDep, state_of

SCHEME_NAME = "bearer"


async def get_client(request: Request) -> Client:
    """Return the caller's address and user agent."""
    return Client(client_address(request.scope), request.headers.get("user-agent", ""))


async def optional_user(request: Request) -> AuthenticatedUser | None:
    """Return the user, or None for a call without a credential.

    Raises:
        NotAuthenticatedError: The token is invalid, or its account or session is no longer valid.
        ApiKeyNotAcceptedError: The credential is an API key. Routes accept keys by `requires` and `keys_with` only.
        AmbiguousCredentialsError: There is more than one credential.
    """
    credential = credential_of(request.scope["headers"])
    if credential is None:
        return None
    if credential.is_api_key:
        raise ApiKeyNotAcceptedError
    return await user_of_token(state_of(request), credential.text)


async def current_user(request: Request) -> AuthenticatedUser:
    """Return the user.

    Raises:
        NotAuthenticatedError: The token is missing or invalid, or its account or session is no longer valid.
        ApiKeyNotAcceptedError, AmbiguousCredentialsError: See `optional_user`.
    """
    user = await optional_user(request)
    if user is None:
        raise NotAuthenticatedError
    return user


class BearerScheme(OAuth2PasswordBearer, AccessDependency):
    """The bearer scheme of the OpenAPI document and the user of the token, in one dependency instead of two."""

    responses = responses_for(AmbiguousCredentialsError, NotAuthenticatedError, ApiKeyNotAcceptedError)

    def __init__(self, find: Callable[[Request], Awaitable[AuthenticatedUser | None]]) -> None:
        super().__init__(tokenUrl=f"{AUTH_PREFIX}/token", scheme_name=SCHEME_NAME, auto_error=False)
        self._find = find

    @property
    def security_schemes(self) -> dict[str, dict[str, Any]]:
        """The scheme of access tokens."""
        return {SCHEME_NAME: jsonable_encoder(self.model, exclude_none=True)}

    async def __call__(self, request: Request) -> AuthenticatedUser | None:  # type: ignore[override]
        """Return the user."""
        return await self._find(request)


get_current_user = BearerScheme(current_user)
get_optional_user = BearerScheme(optional_user)

OptionalUser = Annotated[AuthenticatedUser | None, Depends(get_optional_user)]
CurrentUser = Annotated[AuthenticatedUser, Depends(get_current_user)]


async def get_superuser(user: CurrentUser) -> AuthenticatedUser:
    """Return the user, who is a superuser.

    Raises:
        NotPermittedError: The user is not a superuser.
    """
    if not user.account.is_superuser:
        raise NotPermittedError
    return user


SuperUser = Annotated[AuthenticatedUser, Depends(get_superuser)]
ClientDep = Annotated[Client, Depends(get_client)]


async def get_login_service(state: StateDep, client: ClientDep) -> LoginService:
    """Return the login service for this request."""
    return LoginService(state.of(AuthState), state.database, client, _mailing(state, client))


async def get_account_service(state: StateDep, session: SessionDep, client: ClientDep) -> AccountService:
    """Return the account service for this request."""
    mailing = _mailing(state, client)
    return AccountService(
        state.settings.of(AuthSettings), state.of(AuthState), state.database, session, client, mailing
    )


async def get_registration_service(state: StateDep, session: SessionDep, client: ClientDep) -> RegistrationService:
    """Return the registration service for this request."""
    mailing = _mailing(state, client)
    return RegistrationService(
        state.settings.of(AuthSettings), state.of(AuthState), state.database, session, client, mailing
    )


async def get_invitation_service(state: StateDep, client: ClientDep, caller: SuperUser) -> InvitationService:
    """Return the invitation service for this request."""
    return InvitationService(
        settings=state.settings.of(AuthSettings),
        database=state.database,
        clock=state.of(AuthState).clock,
        client=client,
        mailing=_mailing(state, client),
        caller_id=caller.account.id,
    )


def _mailing(state: AppState, client: Client) -> Mailing:
    waiting_max = state.settings.of(AuthSettings).mails_waiting_max
    return Mailing(state.of(AuthState).throttle, state.sender, address_prefix(client.address), waiting_max)


Logins = Annotated[LoginService, Depends(get_login_service)]
Accounts = Annotated[AccountService, Depends(get_account_service)]
Registrations = Annotated[RegistrationService, Depends(get_registration_service)]
Invitations = Annotated[InvitationService, Depends(get_invitation_service)]
