"""Who may see the monitoring routes: `MONITORING_ACCESS`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from fastapi.params import Depends as DependsParam

from inference_core.errors import responses_for
from inference_core.exceptions import NotAuthenticatedError, NotPermittedError
from inference_core.state import SettingsDep
from inference_core.tasks.service import Caller


async def check_monitoring_access(settings: SettingsDep) -> None:
    """Let everybody pass where monitoring is public."""
    if settings.effective_monitoring_access != "public":
        raise NotAuthenticatedError


async def get_caller() -> Caller:
    """Who asks."""
    return Caller()


CallerDep = Annotated[Caller, Depends(get_caller)]


@dataclass(frozen=True, slots=True)
class Guard:
    """What a router needs to be guarded."""

    dependencies: Sequence[DependsParam]
    responses: dict[int | str, dict[str, Any]]


MONITORING = Guard(
    dependencies=[Depends(check_monitoring_access)],
    responses=responses_for(NotAuthenticatedError, NotPermittedError),
)
