"""`/api/v1/admin/invitations`: superusers invite people to register."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from inference_core.auth.dependencies import Invitations, get_superuser
from inference_core.auth.errors import (
    AccountExistsError,
    InvitationExistsError,
    InvitationsOffError,
    SessionStoreUnavailableError,
    TooManyInvitationsError,
)
from inference_core.auth.schemas import Done, InvitationPage, NewInvitation, OpenInvitation
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.dependencies import ReadSessionDep, SessionDep
from inference_core.core.exceptions import NotAuthenticatedError, NotFoundError, NotPermittedError, ThrottledError
from inference_core.core.paths import ADMIN_PREFIX
from inference_core.core.problems import responses_for

router = APIRouter(
    prefix=f"{ADMIN_PREFIX}/invitations",
    tags=["administration"],
    dependencies=[Depends(get_superuser)],
    responses=responses_for(
        NotAuthenticatedError, NotPermittedError, DatabaseUnavailableError, SessionStoreUnavailableError
    ),
)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=responses_for(
        InvitationsOffError, AccountExistsError, InvitationExistsError, TooManyInvitationsError, ThrottledError
    ),
)
async def invite(invitation: NewInvitation, session: SessionDep, invitations: Invitations) -> OpenInvitation:
    """Mail an invitation to register with one email. It works once, with `REGISTRATION=invite`."""
    return OpenInvitation.model_validate(await invitations.create(session, invitation))


@router.get("")
async def list_invitations(
    session: ReadSessionDep,
    invitations: Invitations,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> InvitationPage:
    """List the open invitations, one page at a time."""
    found, total = await invitations.page(session, offset, limit)
    items = [OpenInvitation.model_validate(invitation) for invitation in found]
    return InvitationPage(items=items, total=total, offset=offset, limit=limit)


@router.delete("/{invitation_id}", responses=responses_for(NotFoundError))
async def withdraw_invitation(
    invitation_id: Annotated[UUID, Path(description="An id of the list of invitations.")],
    session: SessionDep,
    invitations: Invitations,
) -> Done:
    """Withdraw an invitation. Its link is no longer valid."""
    await invitations.withdraw(session, invitation_id)
    return Done(message="The invitation has been withdrawn.")
