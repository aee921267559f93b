"""`/api/v1/auth/api-keys`: the caller's API keys."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from inference_core.auth.api_keys.errors import ApiKeyNotFoundError, TooManyApiKeysError
from inference_core.auth.api_keys.keys import ID_PATTERN
from inference_core.auth.api_keys.schemas import ApiKeyView, CreatedApiKey, NewApiKey
from inference_core.auth.api_keys.service import ApiKeyService
from inference_core.auth.dependencies import ClientDep, CurrentUser
from inference_core.auth.errors import UnknownPermissionError
from inference_core.auth.schemas import Done
from inference_core.auth.settings import AuthSettings
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.paths import AUTH_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.state import StateDep

router = APIRouter(
    prefix=f"{AUTH_PREFIX}/api-keys",
    tags=["accounts"],
    responses=responses_for(NotAuthenticatedError, DatabaseUnavailableError),
)

# Only this form, because PostgreSQL refuses NUL.
KeyId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="An id of the list of keys.")]


async def get_reading_service(
    state: StateDep, session: ReadSessionDep, client: ClientDep, user: CurrentUser
) -> ApiKeyService:
    """Return the service for a request that changes nothing."""
    most_keys = state.settings.of(AuthSettings).api_keys_per_user
    return ApiKeyService(session, state.service.permission_names, most_keys, client, user.account)


async def get_service(state: StateDep, session: SessionDep, client: ClientDep, user: CurrentUser) -> ApiKeyService:
    """Return the service for a request that changes keys."""
    most_keys = state.settings.of(AuthSettings).api_keys_per_user
    return ApiKeyService(session, state.service.permission_names, most_keys, client, user.account)


ReadingService = Annotated[ApiKeyService, Depends(get_reading_service)]
Service = Annotated[ApiKeyService, Depends(get_service)]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=responses_for(UnknownPermissionError, NotPermittedError, TooManyApiKeysError),
)
async def create_api_key(new: NewApiKey, service: Service) -> CreatedApiKey:
    """Create an API key. Only this response contains the key."""
    stored, plain = await service.create(new.name, new.scopes, new.expires_in_days)
    return CreatedApiKey(**ApiKeyView.model_validate(stored).model_dump(), key=plain.text)


@router.get("")
async def list_api_keys(service: ReadingService) -> list[ApiKeyView]:
    """List the caller's API keys, the newest first."""
    return [ApiKeyView.model_validate(key) for key in await service.all()]


@router.delete("/{key_id}", responses=responses_for(ApiKeyNotFoundError))
async def revoke_api_key(key_id: KeyId, service: Service) -> Done:
    """Revoke an API key. Requests with it get 401 from now on."""
    await service.revoke(key_id)
    return Done(message="The API key has been revoked.")
