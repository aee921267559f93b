"""The answers of the task routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from inference_core.tasks.record import TaskStatus
from inference_core.tasks.snapshot import HealthStatus, WorkerStatus


class Dated(BaseModel):
    """What every monitoring answer says of itself: when its picture was taken and how old that makes it."""

    as_of: datetime
    age_ms: int


class TaskHealth(Dated):
    """Whether tasks are taken; `active_workers` counts those that answer."""

    status: HealthStatus
    active_workers: int
    message: str
    celery_available: bool
    queue_depths: dict[str, int]


class Pong(BaseModel):
    """A worker that answers."""

    ok: Literal["pong"] = "pong"


class NoPong(BaseModel):
    """A worker that does not."""

    error: Literal["unresponsive", "stopping"]


class WorkerStats(BaseModel):
    """One worker; `silent_ms` is how long ago it last spoke, the rest what it last said."""

    status: WorkerStatus
    silent_ms: int
    queues: list[str]
    stats: dict[str, Any]


class WorkersStats(Dated):
    """All workers by name; one that stopped answering stays listed, as `unresponsive`."""

    stats: dict[str, WorkerStats]
    ping: dict[str, Pong | NoPong]
    registered: dict[str, list[str]]


class TaskInHand(BaseModel):
    """A task a worker has; its arguments are never shown."""

    id: str = Field(description="In full where `MONITORING_ACCESS` is `superuser`, else its beginning.")
    name: str
    started_at: float | None
    worker_pid: int | None
    eta: str | None


class ActiveTasks(Dated):
    """What each worker has in hand, by its name."""

    active: dict[str, list[TaskInHand]]
    scheduled: dict[str, list[TaskInHand]]
    reserved: dict[str, list[TaskInHand]]


class TaskError(BaseModel):
    """Why a task failed: the kind of the error, and a sentence fit for whoever submitted it."""

    type: str
    message: str


class TaskState(BaseModel):
    """A task as it stands; `result` once it succeeded, `info` the error once it failed or expired.

    `traceback` is never given.
    """

    task_id: str
    status: TaskStatus
    result: Any = None
    info: TaskError | None = None
    traceback: str | None = None
    successful: bool
    failed: bool


class TaskResult(BaseModel):
    """What became of a finished task."""

    task_id: str
    status: TaskStatus
    success: bool
    result: Any = None
    error: TaskError | None = None


class TaskResultWithMetadata(TaskResult):
    """The same of a task that says more about its result, such as which model gave it."""

    metadata: dict[str, Any]


class TaskPending(BaseModel):
    """A task that has not finished yet."""

    task_id: str
    status: TaskStatus


class TaskCancelled(BaseModel):
    """What came of calling a task off."""

    task_id: str
    cancelled: bool
    message: str
