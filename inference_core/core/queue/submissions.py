"""The data of a submitted task in Redis in addition to its result: its owner, and whether it was started or cancelled.

This is a hash for each task, with the lifetime of the task's result. Starting and cancelling are atomic steps, so a
task is either started or cancelled.
"""

from __future__ import annotations

from typing import Literal

# The package with the scripts that start and cancel a task.
SCRIPTS = "inference_core.core.queue"

Claim = Literal["run", "cancelled", "copy"]
CancelOutcome = Literal["cancelled", "started", "unknown"]


def task_key(task_id: str) -> str:
    """Return the key of a task's hash."""
    return f"task:{task_id}"


def result_key(task_id: str) -> str:
    """Return the key of a task's result in Celery's Redis backend."""
    return f"celery-task-meta-{task_id}"
