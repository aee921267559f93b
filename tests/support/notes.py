"""A feature with permissions, as a derived service declares it, and the built-in service with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from inference_core.auth.access.authentication import AuthenticatedUser
from inference_core.auth.dependencies import CurrentUser
from inference_core.auth.permissions import keys_with, requires
from inference_core.core.feature import Feature, Permission, Service
from tests.support.settings import service

READ, WRITE = "notes:read", "notes:write"


class Seen(BaseModel):
    """What a route knows about its caller."""

    user: str | None
    by_key: str | None
    acts_as_superuser: bool


def seen(user: AuthenticatedUser | None) -> Seen:
    if user is None:
        return Seen(user=None, by_key=None, acts_as_superuser=False)
    return Seen(user=str(user.account.id), by_key=user.api_key_id, acts_as_superuser=user.acts_as_superuser)


router = APIRouter(prefix="/api/v1")


@router.get("/notes")
async def read_notes(user: Annotated[AuthenticatedUser, Depends(requires(READ))]) -> Seen:
    return seen(user)


@router.post("/notes", dependencies=[Depends(requires(WRITE))])
async def write_note() -> dict[str, str]:
    return {"note": "written"}


@router.get("/notes/shared")
async def read_shared_notes(
    user: Annotated[AuthenticatedUser | None, Depends(keys_with(READ, allows_anonymous=True))],
) -> Seen:
    return seen(user)


@router.get("/notes/own")
async def read_own_notes(user: CurrentUser) -> Seen:
    return seen(user)


notes = Feature(
    name="notes",
    requires=("accounts",),
    routers="tests.support.notes:router",
    permissions=(Permission(READ, "Read notes."), Permission(WRITE, "Write notes.")),
)
notes_service = Service(name="notes-service", features=(*service.features, notes))
