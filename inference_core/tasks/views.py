"""Convert a snapshot of the workers, or the record of a task, to the responses of the routes. Pure functions."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from inference_core.core.queue.worker_state import TaskEntry
from inference_core.tasks.record import TaskProblem, TaskRecord
from inference_core.tasks.schemas import (
    ActiveTasks,
    NoPong,
    Pong,
    TaskError,
    TaskHealth,
    TaskInHand,
    TaskResult,
    TaskResultWithMetadata,
    TaskState,
    WorkersStats,
    WorkerStats,
)
from inference_core.tasks.snapshot import Snapshot, WorkerView, judge

SHOWN_OF_ID = 8


def task_health(snapshot: Snapshot) -> TaskHealth:
    """Return whether workers run tasks."""
    return _task_health(snapshot, snapshot.age_ms(time.monotonic()))


# Fast path: requests within the same millisecond share one response.
@lru_cache(maxsize=1)
def _task_health(snapshot: Snapshot, age_ms: int) -> TaskHealth:
    verdict = judge(snapshot, age_ms)
    return TaskHealth(
        status=verdict.status,
        active_workers=verdict.online,
        message=verdict.message,
        celery_available=snapshot.broker_available,
        queue_depths=snapshot.queue_depths,
        as_of=snapshot.as_of,
        age_ms=age_ms,
    )


def workers_stats(snapshot: Snapshot) -> WorkersStats:
    """Return all known workers, including unresponsive ones."""
    return WorkersStats(
        stats={worker.name: _stats(worker) for worker in snapshot.workers},
        ping={worker.name: _ping(worker) for worker in snapshot.workers},
        registered={worker.name: worker.report["registered"] for worker in snapshot.workers},
        as_of=snapshot.as_of,
        age_ms=snapshot.age_ms(time.monotonic()),
    )


def active_tasks(snapshot: Snapshot, *, whole_ids: bool) -> ActiveTasks:
    """Return the tasks that the workers hold. For an unresponsive worker, they come from its last heartbeat.

    A caller who knows the id of an anonymous task can read and cancel it. Other callers therefore see only the
    beginning of an id, which is enough to find their own tasks.
    """
    return ActiveTasks(
        active={worker.name: _in_hand(worker.report["active"], whole_ids) for worker in snapshot.workers},
        scheduled={worker.name: _in_hand(worker.report["scheduled"], whole_ids) for worker in snapshot.workers},
        reserved={worker.name: _in_hand(worker.report["reserved"], whole_ids) for worker in snapshot.workers},
        as_of=snapshot.as_of,
        age_ms=snapshot.age_ms(time.monotonic()),
    )


def _in_hand(entries: list[TaskEntry], whole_ids: bool) -> list[TaskInHand]:
    if whole_ids:
        return [TaskInHand(**entry) for entry in entries]
    return [TaskInHand(**{**entry, "id": f"{entry['id'][:SHOWN_OF_ID]}..."}) for entry in entries]


def _stats(worker: WorkerView) -> WorkerStats:
    return WorkerStats(
        status=worker.status,
        silent_ms=worker.silent_ms,
        queues=worker.report["queues"],
        stats=worker.report["stats"],
    )


def _ping(worker: WorkerView) -> Pong | NoPong:
    return Pong() if worker.status == "online" else NoPong(error=worker.status)


def task_state(record: TaskRecord) -> TaskState:
    """Return the state of a task."""
    return TaskState(
        task_id=record.task_id,
        status=record.status,
        result=record.result,
        info=_error(record.problem),
        successful=record.status == "SUCCESS",
        failed=record.status == "FAILURE",
    )


def task_result(record: TaskRecord) -> TaskResult:
    """Return the result of a finished task."""
    cancelled = TaskError(type="Cancelled", message="The task was cancelled.")
    values: dict[str, Any] = {
        "task_id": record.task_id,
        "status": record.status,
        "success": record.status == "SUCCESS",
        "result": record.result,
        "error": cancelled if record.status == "REVOKED" and not record.expired else _error(record.problem),
    }
    if record.metadata is None:
        return TaskResult(**values)
    return TaskResultWithMetadata(**values, metadata=record.metadata)


def _error(problem: TaskProblem | None) -> TaskError | None:
    return TaskError(type=problem.type, message=problem.message) if problem else None
