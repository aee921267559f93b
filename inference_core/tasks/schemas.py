"""The responses of the task routes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from inference_core.tasks.record import TaskStatus
from inference_core.tasks.snapshot import HealthStatus, WorkerStatus


class Dated(BaseModel):
    """The time and the age of the snapshot from which a monitoring response is made."""

    as_of: datetime = Field(description="The time of the snapshot (UTC).")
    age_ms: int = Field(description="The age of the snapshot.")


class TaskHealth(Dated):
    """Whether workers run tasks. `active_workers` is the number of responding workers."""

    status: HealthStatus = Field(description="Whether workers run tasks.")
    active_workers: int = Field(description="The number of responding workers.")
    message: str
    celery_available: bool = Field(description="Whether the broker responds.")
    queue_depths: dict[str, int] = Field(description="The number of waiting tasks by queue.")


class Pong(BaseModel):
    """A worker that responds."""

    ok: Literal["pong"] = Field(default="pong", description="Always `pong`.")


class NoPong(BaseModel):
    """A worker that does not respond."""

    error: Literal["unresponsive", "stopping"] = Field(description="Why the worker does not respond.")


class WorkerStats(BaseModel):
    """One worker. `silent_ms` is the age of its last heartbeat; the other fields are from that heartbeat."""

    status: WorkerStatus = Field(description="The state of the worker.")
    silent_ms: int = Field(description="The age of its last heartbeat.")
    queues: list[str] = Field(description="The queues that it reads.")
    stats: dict[str, Any] = Field(description="The statistics of its last heartbeat.")


class WorkersStats(Dated):
    """All workers by name. A worker without heartbeats is listed as `unresponsive`."""

    stats: dict[str, WorkerStats] = Field(description="The workers by name.")
    ping: dict[str, Pong | NoPong] = Field(description="Whether each worker responds.")
    registered: dict[str, list[str]] = Field(description="The names of the tasks of each worker.")


class TaskInHand(BaseModel):
    """A task that a worker holds. Its arguments are never shown."""

    id: str = Field(description="Complete if `MONITORING_ACCESS` is `superuser`, else only the beginning.")
    name: str = Field(description="The name of the task.")
    started_at: float | None = Field(description="The start in epoch seconds; null if it has not started.")
    worker_pid: int | None = Field(description="The process that runs it; null if none.")
    eta: str | None = Field(description="The time before which it does not start; null if none.")


class ActiveTasks(Dated):
    """The tasks that each worker holds, by the name of the worker."""

    active: dict[str, list[TaskInHand]] = Field(description="The running tasks.")
    scheduled: dict[str, list[TaskInHand]] = Field(description="The tasks that wait for their time.")
    reserved: dict[str, list[TaskInHand]] = Field(description="The tasks that wait for a free process.")


class TaskError(BaseModel):
    """The failure of a task: the type of the error, and a sentence for the submitter."""

    type: str = Field(description="The type of the error.")
    message: str = Field(description="A sentence for the submitter.")


class TaskState(BaseModel):
    """The state of a task.

    `result` is set after success, and `info` after a failure or expiry. `traceback` is always null.
    """

    task_id: str = Field(description="The id of the task.")
    status: TaskStatus = Field(description="The state of the task.")
    result: Any = Field(default=None, description="The result; null unless the task has succeeded.")
    info: TaskError | None = Field(default=None, description="The failure; null unless the task has failed or expired.")
    traceback: str | None = Field(default=None, description="Always null.")
    successful: bool = Field(description="Whether the task has succeeded.")
    failed: bool = Field(description="Whether the task has failed.")


class TaskResult(BaseModel):
    """The result of a finished task."""

    task_id: str = Field(description="The id of the task.")
    status: TaskStatus = Field(description="The state of the task.")
    success: bool = Field(description="Whether the task has succeeded.")
    result: Any = Field(default=None, description="The result; null unless the task has succeeded.")
    error: TaskError | None = Field(default=None, description="The failure; null unless the task has failed.")


class TaskResultWithMetadata(TaskResult):
    """The result of a finished task with further information, such as the model of an answer."""

    metadata: dict[str, Any] = Field(description="Further information, such as the model of an answer.")


class TaskPending(BaseModel):
    """A task that has not finished yet."""

    task_id: str = Field(description="The id of the task.")
    status: TaskStatus = Field(description="The state of the task.")


class TaskCancelled(BaseModel):
    """The result of a cancellation."""

    task_id: str = Field(description="The id of the task.")
    cancelled: bool = Field(description="Whether the task was cancelled. A finished task is not.")
    message: str
