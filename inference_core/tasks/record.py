"""A submitted task, parsed from the result store."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inference_core.core.text import clean_json, finite

TaskStatus = Literal["PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED"]
FINISHED: tuple[TaskStatus, ...] = ("SUCCESS", "FAILURE", "REVOKED")

# Exceptions whose text is written for the submitter of the task.
READABLE_ERRORS = {"TaskFailedError"}
KNOWN_TYPES = {
    "SoftTimeLimitExceeded": "The task took too long.",
    "TimeLimitExceeded": "The task took too long.",
    "WorkerLostError": "The process that ran the task crashed.",
    "UnreadableResult": "The result of the task cannot be read.",
}
NEEDS_CLEANING = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


@dataclass(frozen=True, slots=True)
class TaskProblem:
    """The failure of a task, for its submitter."""

    type: str
    message: str


EXPIRED = TaskProblem("Expired", "The task expired before a worker started it.")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The record of one task.

    `result` is JSON and only set on success, and `problem` only after a failure or expiry. `tag` belongs to the task's
    feature. A task can return `{"result": ..., "metadata": {...}}` to separate the two.
    """

    task_id: str
    name: str
    owner: str | None
    status: TaskStatus
    result: Any = None
    problem: TaskProblem | None = None
    metadata: dict[str, Any] | None = None
    tag: str | None = None

    @property
    def finished(self) -> bool:
        """Return whether the status is final."""
        return self.status in FINISHED

    @property
    def expired(self) -> bool:
        """Return whether the task expired before it started. Its status is then REVOKED."""
        return self.problem is EXPIRED

    @classmethod
    def parse(cls, task_id: str, registered: Mapping[bytes, bytes], meta: bytes | None) -> TaskRecord:
        """Return the record from the task's hash and from its result in Celery's form."""
        stored = _decoded(meta) if meta else {}
        status = _status(registered, stored.get("status"))
        result, metadata = _parts(stored.get("result")) if status == "SUCCESS" else (None, None)
        return cls(
            task_id=task_id,
            name=registered.get(b"name", b"").decode(),
            owner=registered.get(b"owner", b"").decode() or None,
            status=status,
            result=result,
            problem=_problem(registered, status, stored.get("result")),
            metadata=metadata,
            tag=registered.get(b"tag", b"").decode() or None,
        )


def _decoded(meta: bytes) -> dict[str, Any]:
    """Return the stored result. A task can return values that its worker can write but this service cannot."""
    try:
        stored = json.loads(meta, parse_float=finite, parse_constant=lambda _: None)
        if isinstance(stored, dict):
            # Fast path: lone surrogates and NUL are escaped in JSON. A search for the escapes is cheaper than a
            # conversion.
            return clean_json(stored) if NEEDS_CLEANING.search(meta) else stored
    except (ValueError, RecursionError):
        pass
    return {"status": "FAILURE", "result": {"exc_type": "UnreadableResult"}}


def _parts(value: Any) -> tuple[Any, dict[str, Any] | None]:
    if isinstance(value, dict) and value.keys() == {"result", "metadata"} and isinstance(value["metadata"], dict):
        return value["result"], value["metadata"]
    return value, None


def _status(registered: Mapping[bytes, bytes], stored: str | None) -> TaskStatus:
    if b"cancelled" in registered:
        return "REVOKED"
    if stored in ("RETRY", "SUCCESS", "FAILURE", "REVOKED"):
        return stored  # type: ignore[return-value]  # narrowed by the tuple
    return "STARTED" if b"started" in registered else "PENDING"


def _problem(registered: Mapping[bytes, bytes], status: TaskStatus, stored: Any) -> TaskProblem | None:
    if status == "FAILURE":
        return problem_of(stored)
    is_expired = isinstance(stored, dict) and stored.get("exc_message") == ["expired"]
    return EXPIRED if status == "REVOKED" and is_expired and b"cancelled" not in registered else None


def problem_of(stored: Any) -> TaskProblem:
    """Return a stored exception without details that are not for the submitter."""
    kind = str(stored.get("exc_type", "Error")) if isinstance(stored, dict) else "Error"
    if kind in READABLE_ERRORS and isinstance(stored, dict):
        message = stored.get("exc_message")
        text = " ".join(map(str, message)) if isinstance(message, list) else str(message)
        return TaskProblem(kind, text)
    return TaskProblem(kind, KNOWN_TYPES.get(kind, "The task failed."))
