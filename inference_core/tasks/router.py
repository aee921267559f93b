"""`/api/v1/tasks`: the workers as the monitor sees them, and the tasks somebody submitted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from inference_core.celery.sender import BrokerUnavailableError
from inference_core.errors import responses_for
from inference_core.exceptions import NotAuthenticatedError
from inference_core.paths import TASKS_PREFIX
from inference_core.settings import Access
from inference_core.state import StateDep, state_of
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
from inference_core.tasks.service import TaskNotFoundError
from inference_core.tasks.store import ResultStoreUnavailableError
from inference_core.traffic import release_slot

submitted = APIRouter(
    prefix="/tasks",
    tags=["tasks"],
    responses=responses_for(NotAuthenticatedError, TaskNotFoundError, ResultStoreUnavailableError),
)


TaskId = Annotated[str, Path(max_length=64, description="As it was given when the task was submitted.")]
LONGEST_WAIT_S = 30.0


@submitted.get("/{task_id}/status")
async def task_status(task_id: TaskId, state: StateDep, caller: CallerDep) -> TaskState:
    """A task as it stands."""
    return views.task_state(await state.task_service.get(task_id, caller))


@submitted.get("/{task_id}/result", responses={202: {"model": TaskPending, "description": "Not finished yet."}})
async def task_result(
    task_id: TaskId,
    state: StateDep,
    caller: CallerDep,
    *,
    request: Request,
    response: Response,
    wait_s: Annotated[
        float,
        Query(alias="timeout", ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False, description="Seconds to wait."),
    ] = 0.0,
) -> TaskResultWithMetadata | TaskResult | TaskPending:
    """What became of a task; waits for it up to `timeout` seconds."""
    release_slot(request)
    record = await state.task_service.wait(task_id, caller, wait_s)
    if record.finished:
        return views.task_result(record)
    response.status_code = HTTPStatus.ACCEPTED
    return TaskPending(task_id=record.task_id, status=record.status)


@submitted.delete("/{task_id}", responses=responses_for(BrokerUnavailableError))
async def cancel_task(task_id: TaskId, state: StateDep, caller: CallerDep) -> TaskCancelled:
    """Call a task off."""
    outcome = await state.task_service.cancel(task_id, caller)
    return TaskCancelled(task_id=task_id, cancelled=outcome.cancelled, message=outcome.message)


def monitoring_router(access: Access) -> APIRouter:
    """The monitoring routes, open to whom `access` says; decided here, so that public ones check nothing."""
    guard = monitoring_guard(access)
    router = APIRouter(prefix=TASKS_PREFIX, tags=["tasks"], dependencies=guard.dependencies, responses=guard.responses)

    @router.get("/health")
    async def task_health(request: Request) -> TaskHealth:
        """Whether the broker answers and a worker takes tasks."""
        return views.task_health(state_of(request).workers.snapshot)

    @router.get("/workers/stats")
    async def workers_stats(request: Request) -> WorkersStats:
        """Every worker: its state, what it says of itself, the tasks it knows."""
        return views.workers_stats(state_of(request).workers.snapshot)

    @router.get("/active")
    async def active_tasks(request: Request) -> ActiveTasks:
        """The tasks in the workers' hands; only where superusers alone may ask are their ids shown in full."""
        return views.active_tasks(state_of(request).workers.snapshot, whole_ids=access == "superuser")

    return router
