"""Submit tasks, return their state and results, and cancel them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from inference_core.core.exceptions import NotFoundError, ServiceError
from inference_core.core.queue.sender import TaskSender
from inference_core.core.traffic import Traffic
from inference_core.tasks.idempotency import IdempotencyKeys
from inference_core.tasks.record import EXPIRED, TaskRecord
from inference_core.tasks.store import ResultStore

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25
# Time within which a running task must stop. Afterwards, the response states that it may still run.
STOP_WITHIN_S = 3.0
# Maximum number of waiting requests. Further ones return the current state of the task.
MAX_WAITING = 200


class TaskNotFoundError(NotFoundError):
    """Raised if the task was never submitted, has expired, or belongs to another user."""

    code = "task_not_found"
    detail = "There is no such task."


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a task route. `user_id` is None for an anonymous caller."""

    user_id: str | None = None
    is_superuser: bool = False

    def may_see(self, record: TaskRecord) -> bool:
        """Return whether the caller may see a task: its submitter, a superuser, or everybody for an anonymous task."""
        return record.owner is None or self.is_superuser or record.owner == self.user_id


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The result of a cancellation. `cancelled` states whether the task was really cancelled."""

    cancelled: bool
    message: str


@dataclass(slots=True)
class TaskService:
    """The submitted tasks of the service."""

    sender: TaskSender
    store: ResultStore
    traffic: Traffic
    waiting: int = field(default=0)
    # Called for each cancelled task, so that its feature can release resources.
    when_cancelled: list[Callable[[TaskRecord], Awaitable[None]]] = field(default_factory=list)

    async def submit(
        self,
        name: str,
        *args: Any,
        owner: str | None = None,
        task_id: str | None = None,
        tag: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Send a task and return its id. `tag` is stored in its record.

        Raises:
            DependencyUnavailableError: The broker or the result store does not respond in time.
        """
        task_id = task_id or str(uuid4())
        self.sender.celery.measure_skew(await self.store.register(task_id, name, owner, tag))
        # If the task is no longer stored, it is unknown whether it was cancelled.
        return await self.sender.send(name, *args, task_id=task_id, expires_s=self.store.expires_s, **kwargs)

    async def submit_once(
        self,
        key: str,
        request_fingerprint: str,
        name: str,
        *args: Any,
        caller: str,
        owner: str | None = None,
        admit: Callable[[str], Awaitable[None]] | None = None,
        tag: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Send a task once for each `Idempotency-Key` of a caller. A repeated request gets the id of the same task.

        Args:
            key: The key of the client.
            request_fingerprint: A digest of the request.
            name: The name of the task.
            args: Its arguments.
            caller: The caller, with or without an account. The keys of different callers are independent.
            owner: The user who may see the task; None for everybody.
            admit: Called with the task's id before a new task is sent. If it raises, the task is not sent, and the key
                can be used again.
            tag: Stored in the task's record.
            kwargs: Its keyword arguments.

        Raises:
            DependencyUnavailableError: The broker or the result store does not respond in time.
            SubmissionInProgressError: Another request with this key is being served.
            KeyReusedError: The key was used for a different request.
        """
        keys = IdempotencyKeys(self.store.redis)
        reservation = await keys.reserve(caller, key, request_fingerprint)
        if reservation.is_sent:
            return reservation.task_id
        if admit is not None:
            try:
                await admit(reservation.task_id)
            except ServiceError:
                await keys.withdraw(reservation)
                raise
        try:
            await self.submit(name, *args, owner=owner, task_id=reservation.task_id, tag=tag, **kwargs)
        except ServiceError:
            await keys.mark_retryable(reservation)
            raise
        await keys.mark_sent(reservation)
        return reservation.task_id

    async def get(self, task_id: str, caller: Caller) -> TaskRecord:
        """Return the state of the task.

        Raises:
            TaskNotFoundError: There is no such task, or the caller may not see it.
        """
        try:
            canonical = str(UUID(task_id))
        except ValueError:
            raise TaskNotFoundError from None
        record = await self.store.find(canonical)
        if record is None or not caller.may_see(record):
            raise TaskNotFoundError
        return record

    async def wait(self, task_id: str, caller: Caller, timeout_s: float) -> TaskRecord:
        """Return the task when it has finished, or its state after `timeout_s`.

        Raises:
            TaskNotFoundError: There is no such task, or the caller may not see it.
        """
        record = await self.get(task_id, caller)
        if record.finished or timeout_s <= 0 or self.waiting >= MAX_WAITING:
            return record
        self.waiting += 1
        try:
            return await self._poll(record, timeout_s)
        finally:
            self.waiting -= 1

    async def cancel(self, task_id: str, caller: Caller) -> Cancellation:
        """Cancel a task. A task that has started is stopped by stopping its process.

        Raises:
            TaskNotFoundError: There is no such task, or the caller may not see it.
        """
        record = await self.get(task_id, caller)
        if record.finished:
            return _too_late(record)
        outcome = await self.store.cancel(record.task_id)
        if outcome == "cancelled":
            await self._report_cancellation(record)
            return Cancellation(cancelled=True, message="The task was cancelled before it started.")
        await self.sender.stop(record.task_id)
        record = await self._poll(record, STOP_WITHIN_S)
        if record.status == "REVOKED":
            await self._report_cancellation(record)
            return Cancellation(cancelled=True, message="The task was stopped while it ran.")
        if record.finished:
            return Cancellation(cancelled=False, message="The task finished before it could be stopped.")
        return Cancellation(cancelled=False, message="No worker has stopped the task; it may still run.")

    async def _report_cancellation(self, record: TaskRecord) -> None:
        for callback in self.when_cancelled:
            await callback(record)

    async def _poll(self, record: TaskRecord, timeout_s: float) -> TaskRecord:
        deadline_s = time.monotonic() + timeout_s
        pause_s = FIRST_PAUSE_S
        while not record.finished and not self.traffic.draining and (left_s := deadline_s - time.monotonic()) > 0:
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
            record = await self.store.find(record.task_id) or record
        return record


def _too_late(record: TaskRecord) -> Cancellation:
    """Return the response to the cancellation of a finished task."""
    if record.expired:
        return Cancellation(cancelled=False, message=EXPIRED.message)
    if record.status == "REVOKED":
        return Cancellation(cancelled=True, message="The task has already been cancelled.")
    return Cancellation(cancelled=False, message="The task has finished.")
