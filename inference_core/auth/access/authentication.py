"""Find the account of a credential, with one round trip to the database."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from uuid import UUID

from inference_core.auth.access.credentials import Credential
from inference_core.auth.api_keys.keys import NO_SECRET_HASH, PlainKey
from inference_core.auth.api_keys.repository import ApiKeyReads, FoundKey
from inference_core.auth.repository import Account, AccountReads
from inference_core.auth.roles.repository import PermissionReads
from inference_core.auth.state import AuthState
from inference_core.auth.tokens.access_tokens import AccessClaims
from inference_core.core.db.base import utc_now
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.logging import user_id_var
from inference_core.core.state import AppState


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """The account of a credential, and the session of its access token or the id of its API key."""

    account: Account
    session_id: str = ""
    api_key_id: str | None = None

    @property
    def acts_as_superuser(self) -> bool:
        """Return whether the caller is a superuser with an access token. A key has only its scopes."""
        return self.account.is_superuser and self.api_key_id is None


async def user_of_token(state: AppState, token: str) -> AuthenticatedUser:
    """Return the user of an access token.

    Raises:
        NotAuthenticatedError: The token is invalid, or its account or session is no longer valid.
        DatabaseUnavailableError: The database does not respond.
    """
    claims = state.of(AuthState).tokens.verify(token)
    found = await AccountReads(state.database).by_token(claims.user_id, claims.session_id)
    if found is None:
        raise NotAuthenticatedError
    account, is_ended = found
    return await _valid_user(state, claims, account, is_ended=is_ended)


async def permitted_user_of_token(state: AppState, token: str, permission: str) -> AuthenticatedUser:
    """Return the user of an access token, who has a permission.

    Raises:
        NotAuthenticatedError: The token is invalid, or its account or session is no longer valid.
        NotPermittedError: The user does not have the permission.
        DatabaseUnavailableError: The database does not respond.
    """
    claims = state.of(AuthState).tokens.verify(token)
    found = await PermissionReads(state.database).by_token(claims.user_id, claims.session_id, permission)
    if found is None:
        raise NotAuthenticatedError
    account, is_ended, is_granted = found
    user = await _valid_user(state, claims, account, is_ended=is_ended)
    if not (is_granted or account.is_superuser):
        raise NotPermittedError
    return user


async def permitted_user_of_key(state: AppState, text: str, permission: str) -> AuthenticatedUser:
    """Return the owner of an API key, who has a permission that is also a scope of the key.

    Raises:
        NotAuthenticatedError: The key is invalid, expired or revoked, or its owner is not active.
        NotPermittedError: The permission is not a scope of the key, or its owner does not have it any longer.
        DatabaseUnavailableError: The database does not respond.
    """
    key, found = await _valid_key(state, text, permission)
    if permission not in found.scopes or not (found.is_granted or found.owner.is_superuser):
        raise NotPermittedError
    return AuthenticatedUser(found.owner, api_key_id=key.id)


async def owner_of(state: AppState, credential: Credential) -> UUID:
    """Return the account of a valid credential, whatever it permits.

    Raises:
        NotAuthenticatedError: The token or the API key is not valid.
        DatabaseUnavailableError: The database does not respond.
    """
    if credential.is_api_key:
        _, found = await _valid_key(state, credential.text, permission="")
        return found.owner.id
    return (await user_of_token(state, credential.text)).account.id


async def _valid_key(state: AppState, text: str, permission: str) -> tuple[PlainKey, FoundKey]:
    key = PlainKey.parse(text)
    if key is None:
        raise NotAuthenticatedError
    found = await ApiKeyReads(state.database).by_id(key.id, permission)
    # An unknown id takes the same path, so that its time does not show which ids exist.
    matches = hmac.compare_digest(key.secret_hash, found.secret_hash if found else NO_SECRET_HASH)
    now = utc_now()
    if found is None or not matches or not found.owner.is_active or found.is_expired(now):
        raise NotAuthenticatedError
    user_id_var.set(str(found.owner.id))
    state.of(AuthState).key_uses.note(key.id, found.last_used_at, now)
    return key, found


async def _valid_user(state: AppState, claims: AccessClaims, account: Account, *, is_ended: bool) -> AuthenticatedUser:
    if is_ended or not account.honours(claims.version, claims.session_id):
        raise NotAuthenticatedError
    if claims.generation:
        await state.of(AuthState).sessions.confirm(claims.session_id, claims.generation)
    user_id_var.set(str(account.id))
    return AuthenticatedUser(account, claims.session_id)
