"""Access control: `MONITORING_ACCESS` for the monitoring routes, and the submitter for a task."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from inference_core.auth.access.authentication import AuthenticatedUser
from inference_core.auth.permissions import PermissionGuard, keys_with, requires
from inference_core.core.settings import Access
from inference_core.tasks.feature import READ_MONITORING, USE_TASKS
from inference_core.tasks.service import Caller


async def get_caller(
    user: Annotated[AuthenticatedUser | None, Depends(keys_with(USE_TASKS, allows_anonymous=True))],
) -> Caller:
    """Return the caller of a task route, who is anonymous without a credential."""
    return Caller(str(user.account.id), user.acts_as_superuser) if user else Caller()


CallerDep = Annotated[Caller, Depends(get_caller)]


def monitoring_guard(access: Access) -> PermissionGuard | None:
    """Return the guard of the monitoring routes. Public routes have none, and no cost."""
    if access == "public":
        return None
    return keys_with(READ_MONITORING) if access == "user" else requires(READ_MONITORING)
