"""The responses of the task routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from inference_core.tasks.record import TaskStatus
from inference_core.tasks.snapshot import HealthStatus, WorkerStatus


class Dated(BaseModel):
    """The time and the age of the snapshot from which a monitoring response is made."""

    as_of: datetime
    age_ms: int


class TaskHealth(Dated):
    """Whether workers run tasks. `active_workers` is the number of responding workers."""

    status: HealthStatus
    active_workers: int
    message: str
    celery_available: bool
    queue_depths: dict[str, int]


class Pong(BaseModel):
    """A worker that responds."""

    ok: Literal["pong"] = "pong"


class NoPong(BaseModel):
    """A worker that does not respond."""

    error: Literal["unresponsive", "stopping"]


class WorkerStats(BaseModel):
    """One worker. `silent_ms` is the age of its last heartbeat; the other fields are from that heartbeat."""

    status: WorkerStatus
    silent_ms: int
    queues: list[str]
    stats: dict[str, Any]


class WorkersStats(Dated):
    """All workers by name. A worker without heartbeats is listed as `unresponsive`."""

    stats: dict[str, WorkerStats]
    ping: dict[str, Pong | NoPong]
    registered: dict[str, list[str]]


class TaskInHand(BaseModel):
    """A task that a worker holds. Its arguments are never shown."""

    id: str = Field(description="Complete if `MONITORING_ACCESS` is `superuser`, else only the beginning.")
    name: str
    started_at: float | None
    worker_pid: int | None
    eta: str | None


class ActiveTasks(Dated):
    """The tasks that each worker holds, by the name of the worker."""

    active: dict[str, list[TaskInHand]]
    scheduled: dict[str, list[TaskInHand]]
    reserved: dict[str, list[TaskInHand]]


class TaskError(BaseModel):
    """The failure of a task: the type of the error, and a sentence for the submitter."""

    type: str
    message: str


class TaskState(BaseModel):
    """The state of a task.

    `result` is set after success, and `info` after a failure or expiry. `traceback` is always null.
    """

    task_id: str
    status: TaskStatus
    result: Any = None
    info: TaskError | None = None
    traceback: str | None = None
    successful: bool
    failed: bool


class TaskResult(BaseModel):
    """The result of a finished task."""

    task_id: str
    status: TaskStatus
    success: bool
    result: Any = None
    error: TaskError | None = None


class TaskResultWithMetadata(TaskResult):
    """The result of a finished task with further information, such as the model of an answer."""

    metadata: dict[str, Any]


class TaskPending(BaseModel):
    """A task that has not finished yet."""

    task_id: str
    status: TaskStatus


class TaskCancelled(BaseModel):
    """The result of a cancellation."""

    task_id: str
    cancelled: bool
    message: str
