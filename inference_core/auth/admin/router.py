"""`/api/v1/admin/users`: administration of accounts by superusers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from inference_core.auth.admin.service import AdminService
from inference_core.auth.dependencies import Logins, Registrations, SuperUser, get_superuser
from inference_core.auth.errors import AccountExistsError, SessionStoreUnavailableError
from inference_core.auth.passwords.policy import CommonPasswordError
from inference_core.auth.schemas import (
    AccountPage,
    AccountState,
    AdminProfile,
    NewAccount,
    PrintableText,
    SessionsEnded,
)
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.dependencies import ReadSessionDep
from inference_core.core.exceptions import (
    InvalidInputError,
    NotAuthenticatedError,
    NotFoundError,
    NotPermittedError,
    ThrottledError,
)
from inference_core.core.paths import ADMIN_PREFIX
from inference_core.core.problems import responses_for

router = APIRouter(
    prefix=f"{ADMIN_PREFIX}/users",
    tags=["administration"],
    dependencies=[Depends(get_superuser)],
    responses=responses_for(
        NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError, SessionStoreUnavailableError
    ),
)


async def get_admin_service(logins: Logins, caller: SuperUser) -> AdminService:
    """Return the service for this request."""
    return AdminService(logins, caller.account.id)


Admin = Annotated[AdminService, Depends(get_admin_service)]


@router.get("")
async def list_accounts(
    session: ReadSessionDep,
    admin: Admin,
    search: Annotated[PrintableText, Query(description="Part of a user name or email.", examples=["ada"])] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AccountPage:
    """List accounts, one page at a time."""
    accounts, total = await admin.page(session, search, offset, limit)
    items = [AdminProfile.model_validate(account) for account in accounts]
    return AccountPage(items=items, total=total, offset=offset, limit=limit)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=responses_for(CommonPasswordError, AccountExistsError, ThrottledError),
)
async def create_account(account: NewAccount, registrations: Registrations, caller: SuperUser) -> AdminProfile:
    """Create an account. Without a password, its owner gets a mail with a link to choose one."""
    return AdminProfile.model_validate(await registrations.create(account, caller.account.id))


@router.patch("/{user_id}", responses=responses_for(NotFoundError, InvalidInputError))
async def set_account_state(user_id: UUID, state: AccountState, admin: Admin) -> AdminProfile:
    """Activate or deactivate an account. Deactivation ends its sessions and API keys immediately."""
    return AdminProfile.model_validate(await admin.set_active(user_id, active=state.is_active))


@router.delete("/{user_id}/sessions", responses=responses_for(NotFoundError))
async def end_sessions_of(user_id: UUID, admin: Admin) -> SessionsEnded:
    """End all sessions of an account, including their access tokens, and revoke its API keys."""
    return SessionsEnded(message="All sessions and API keys have been ended.", ended=await admin.end_sessions(user_id))
