"""Access control: `MONITORING_ACCESS` for the monitoring routes, and the submitter for a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from fastapi.params import Depends as DependsParam

from inference_core.auth.dependencies import OptionalUser, get_current_user, get_superuser
from inference_core.core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.core.problems import responses_for
from inference_core.core.settings import Access
from inference_core.tasks.service import Caller


async def get_caller(user: OptionalUser) -> Caller:
    """Return the caller of a task route, who is anonymous without a bearer token."""
    return Caller(str(user.account.id), user.account.is_superuser) if user else Caller()


CallerDep = Annotated[Caller, Depends(get_caller)]


@dataclass(frozen=True, slots=True)
class Guard:
    """The dependencies that guard a router."""

    dependencies: list[DependsParam]
    responses: dict[int | str, dict[str, Any]]


def monitoring_guard(access: Access) -> Guard:
    """Return the guard of the monitoring routes.

    It is chosen when they are mounted, so that public routes have no cost.
    """
    if access == "public":
        return Guard([], {})
    if access == "user":
        return Guard([Depends(get_current_user)], responses_for(NotAuthenticatedError))
    return Guard([Depends(get_superuser)], responses_for(NotAuthenticatedError, NotPermittedError))
