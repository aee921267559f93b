"""`/api/v1/tasks`: the workers as the monitor sees them."""

from __future__ import annotations

from fastapi import APIRouter

from inference_core.state import StateDep
from inference_core.tasks import views
from inference_core.tasks.access import MONITORING
from inference_core.tasks.schemas import ActiveTasks, TaskHealth, WorkersStats

router = APIRouter(prefix="/tasks", tags=["tasks"])
monitoring = APIRouter(dependencies=MONITORING.dependencies, responses=MONITORING.responses)


@monitoring.get("/health")
async def task_health(state: StateDep) -> TaskHealth:
    """Whether the broker answers and a worker takes tasks."""
    return views.task_health(state.workers.snapshot)


@monitoring.get("/workers/stats")
async def workers_stats(state: StateDep) -> WorkersStats:
    """Every worker: its state, what it says of itself, the tasks it knows."""
    return views.workers_stats(state.workers.snapshot)


@monitoring.get("/active")
async def active_tasks(state: StateDep) -> ActiveTasks:
    """The tasks in the workers' hands."""
    return views.active_tasks(state.workers.snapshot)


router.include_router(monitoring)
