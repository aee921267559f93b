"""`/api/v1/auth/sessions`: the caller's own sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from inference_core.auth.dependencies import CurrentUser, Logins
from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.auth.schemas import Done, Session, SessionsEnded
from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import NotAuthenticatedError, NotFoundError
from inference_core.core.paths import AUTH_PREFIX
from inference_core.core.problems import responses_for

router = APIRouter(
    prefix=f"{AUTH_PREFIX}/sessions",
    tags=["accounts"],
    responses=responses_for(NotAuthenticatedError, DatabaseUnavailableError, SessionStoreUnavailableError),
)


@router.get("")
async def list_sessions(user: CurrentUser, logins: Logins) -> list[Session]:
    """List the caller's active sessions, the most recently used first."""
    found = [Session.model_validate(session) for session in await logins.sessions(user.account.id)]
    return [session.model_copy(update={"current": session.id == user.session_id}) for session in found]


@router.delete("/{session_id}", responses=responses_for(NotFoundError))
async def end_session(
    session_id: Annotated[str, Path(max_length=64, description="An id of the list of sessions.")],
    user: CurrentUser,
    logins: Logins,
) -> Done:
    """End one of the caller's sessions, including its access tokens."""
    await logins.end_session(user.account.id, session_id)
    return Done(message="The session has been ended.")


@router.delete("")
async def end_all_sessions(user: CurrentUser, logins: Logins) -> SessionsEnded:
    """End all sessions of the caller, including the current one, and revoke all API keys."""
    ended = await logins.end_all_sessions(user.account.id)
    return SessionsEnded(message="All sessions and API keys have been ended.", ended=ended)
