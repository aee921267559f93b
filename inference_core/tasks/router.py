"""`/api/v1/tasks`: the snapshot of the workers, and the submitted tasks."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from inference_core.core.exceptions import NotAuthenticatedError
from inference_core.core.paths import TASKS_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.queue.sender import BrokerUnavailableError
from inference_core.core.settings import Access
from inference_core.core.state import StateDep, state_of
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
from inference_core.tasks.service import TaskNotFoundError
from inference_core.tasks.store import ResultStoreUnavailableError

submitted = APIRouter(
    prefix="/tasks",
    tags=["tasks"],
    responses=responses_for(NotAuthenticatedError, TaskNotFoundError, ResultStoreUnavailableError),
)


TaskId = Annotated[str, Path(max_length=64, description="The id that was returned when the task was submitted.")]
LONGEST_WAIT_S = 30.0


@submitted.get("/{task_id}/status")
async def task_status(task_id: TaskId, state: StateDep, caller: CallerDep) -> TaskState:
    """Return the state of a task."""
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
    """Return the result of a task. Wait up to `timeout` seconds for it."""
    release_slot(request)
    record = await state.task_service.wait(task_id, caller, wait_s)
    if record.finished:
        return views.task_result(record)
    response.status_code = HTTPStatus.ACCEPTED
    return TaskPending(task_id=record.task_id, status=record.status)


@submitted.delete("/{task_id}", responses=responses_for(BrokerUnavailableError))
async def cancel_task(task_id: TaskId, state: StateDep, caller: CallerDep) -> TaskCancelled:
    """Cancel a task."""
    outcome = await state.task_service.cancel(task_id, caller)
    return TaskCancelled(task_id=task_id, cancelled=outcome.cancelled, message=outcome.message)


def monitoring_router(access: Access) -> APIRouter:
    """Return the monitoring routes for the given access. Public routes make no check."""
    guard = monitoring_guard(access)
    router = APIRouter(prefix=TASKS_PREFIX, tags=["tasks"], dependencies=guard.dependencies, responses=guard.responses)

    @router.get("/health")
    async def task_health(request: Request) -> TaskHealth:
        """Return whether the broker responds and a worker runs tasks."""
        return views.task_health(state_of(request).workers.snapshot)

    @router.get("/workers/stats")
    async def workers_stats(request: Request) -> WorkersStats:
        """Return the state, the statistics and the registered tasks of every worker."""
        return views.workers_stats(state_of(request).workers.snapshot)

    @router.get("/active")
    async def active_tasks(request: Request) -> ActiveTasks:
        """Return the tasks that the workers hold. Task ids are complete only if the route requires a superuser."""
        return views.active_tasks(state_of(request).workers.snapshot, whole_ids=access == "superuser")

    return router
