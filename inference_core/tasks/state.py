"""The state of the tasks feature in one process: the submitted tasks, and the monitor of the workers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference_core.core.health import Component
from inference_core.core.state import AppState
from inference_core.tasks.monitor import WorkerMonitor
from inference_core.tasks.service import TaskService
from inference_core.tasks.snapshot import judge
from inference_core.tasks.store import ResultStore
from inference_core.tasks.telemetry import TaskMetrics


@dataclass(frozen=True, slots=True)
class TasksState:
    """The objects that live longer than a request."""

    service: TaskService
    workers: WorkerMonitor


@asynccontextmanager
async def open_tasks(state: AppState) -> AsyncIterator[TasksState]:
    """Open the result store, and monitor the workers until the context ends."""
    settings = state.settings
    async with (
        ResultStore.open(settings, state.metrics.redis_observer()) as results,
        WorkerMonitor.open(settings, state.service.queues) as workers,
    ):
        metrics = state.metrics.feature(TaskMetrics)
        state.gauges.append(lambda: metrics.set(workers.snapshot))
        yield TasksState(TaskService(state.sender, results, state.traffic), workers)


def tasks_component(state: AppState) -> Component:
    """Return whether workers run tasks, for the health routes."""
    snapshot = state.of(TasksState).workers.snapshot
    verdict = judge(snapshot, snapshot.age_ms(time.monotonic()))
    return Component(verdict.status, snapshot.as_of, None if verdict.status == "healthy" else verdict.message)
