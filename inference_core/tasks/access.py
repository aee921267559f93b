"""Who may see what: `MONITORING_ACCESS` for the monitoring routes, the submitter for a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from fastapi.params import Depends as DependsParam

from inference_core.auth.dependencies import OptionalUser, get_current_user, get_superuser
from inference_core.errors import responses_for
from inference_core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.settings import Access
from inference_core.tasks.service import Caller


async def get_caller(user: OptionalUser) -> Caller:
    """Who asks about a task; anonymous without a bearer token."""
    return Caller(str(user.account.id), user.account.is_superuser) if user else Caller()


CallerDep = Annotated[Caller, Depends(get_caller)]


@dataclass(frozen=True, slots=True)
class Guard:
    """What a router is mounted with to be guarded."""

    dependencies: list[DependsParam]
    responses: dict[int | str, dict[str, Any]]


def monitoring_guard(access: Access) -> Guard:
    """The guard of the monitoring routes; decided when they are mounted, so that public ones cost nothing."""
    if access == "public":
        return Guard([], {})
    if access == "user":
        return Guard([Depends(get_current_user)], responses_for(NotAuthenticatedError))
    return Guard([Depends(get_superuser)], responses_for(NotAuthenticatedError, NotPermittedError))
