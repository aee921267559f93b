"""`/api/v1/tasks`: the snapshot of the workers, and the submitted tasks."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from inference_core.auth.access.authentication import AuthenticatedUser
from inference_core.core.exceptions import NotAuthenticatedError
from inference_core.core.feature import Service
from inference_core.core.paths import TASKS_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.queue.sender import BrokerUnavailableError
from inference_core.core.settings import Access, Settings
from inference_core.core.state import state_of
from inference_core.core.traffic import release_slot
from inference_core.tasks import views
from inference_core.tasks.access import CallerDep, monitoring_guard
from inference_core.tasks.schemas import (
    ActiveTasks,
    TaskCancelled,
    TaskHealth,
    TaskPending,
    TaskResult,
    TaskResultWithMetadata,
    TaskState,
    WorkersStats,
)
from inference_core.tasks.service import TaskNotFoundError, TaskService
from inference_core.tasks.settings import TasksSettings
from inference_core.tasks.snapshot import Snapshot
from inference_core.tasks.state import TasksState
from inference_core.tasks.store import ResultStoreUnavailableError

router = APIRouter(
    prefix=TASKS_PREFIX,
    tags=["tasks"],
    responses=responses_for(NotAuthenticatedError, TaskNotFoundError, ResultStoreUnavailableError),
)


async def get_task_service(request: Request) -> TaskService:
    """Return the submitted tasks of this process."""
    return state_of(request).of(TasksState).service


TaskServiceDep = Annotated[TaskService, Depends(get_task_service)]
TaskId = Annotated[str, Path(max_length=64, description="The id that was returned when the task was submitted.")]
LONGEST_WAIT_S = 30.0


@router.get("/{task_id}/status")
async def task_status(task_id: TaskId, tasks: TaskServiceDep, caller: CallerDep) -> TaskState:
    """Return the state of a task."""
    return views.task_state(await tasks.get(task_id, caller))


@router.get("/{task_id}/result", responses={202: {"model": TaskPending, "description": "Not finished yet."}})
async def task_result(
    task_id: TaskId,
    tasks: TaskServiceDep,
    caller: CallerDep,
    *,
    request: Request,
    response: Response,
    wait_s: Annotated[
        float,
        Query(alias="timeout", ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False, description="Seconds to wait."),
    ] = 0.0,
) -> TaskResultWithMetadata | TaskResult | TaskPending:
    """Return the result of a task. Wait up to `timeout` seconds for it."""
    release_slot(request)
    record = await tasks.wait(task_id, caller, wait_s)
    if record.finished:
        return views.task_result(record)
    response.status_code = HTTPStatus.ACCEPTED
    return TaskPending(task_id=record.task_id, status=record.status)


@router.delete("/{task_id}", responses=responses_for(BrokerUnavailableError))
async def cancel_task(task_id: TaskId, tasks: TaskServiceDep, caller: CallerDep) -> TaskCancelled:
    """Cancel a task."""
    outcome = await tasks.cancel(task_id, caller)
    return TaskCancelled(task_id=task_id, cancelled=outcome.cancelled, message=outcome.message)


def hot_routers(_: Service, settings: Settings) -> list[APIRouter]:
    """Return the monitoring routes."""
    return [monitoring_router(settings.of(TasksSettings).effective_monitoring_access)]


def _snapshot(request: Request) -> Snapshot:
    return state_of(request).of(TasksState).workers.snapshot


async def _nobody() -> None:
    """Return no user, for a route without a guard."""


def monitoring_router(access: Access) -> APIRouter:
    """Return the monitoring routes for the given access. Public routes make no check."""
    guard = monitoring_guard(access)
    monitoring = APIRouter(prefix=TASKS_PREFIX, tags=["tasks"], dependencies=[Depends(guard)] if guard else [])

    @monitoring.get("/health")
    async def task_health(request: Request) -> TaskHealth:
        """Return whether the broker responds and a worker runs tasks."""
        return views.task_health(_snapshot(request))

    @monitoring.get("/workers/stats")
    async def workers_stats(request: Request) -> WorkersStats:
        """Return the state, the statistics and the registered tasks of every worker."""
        return views.workers_stats(_snapshot(request))

    @monitoring.get("/active")
    async def active_tasks(
        request: Request,
        user: AuthenticatedUser | None = Depends(guard or _nobody),  # noqa: B008  # not known when the module is read
    ) -> ActiveTasks:
        """Return the tasks that the workers hold. Task ids are complete only for superusers."""
        whole_ids = access == "superuser" and user is not None and user.acts_as_superuser
        return views.active_tasks(_snapshot(request), whole_ids=whole_ids)

    return monitoring
