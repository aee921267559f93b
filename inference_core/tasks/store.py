"""The submitted tasks in the result store: their hashes and results. Each call is one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.queue.submissions import SCRIPTS, CancelOutcome, result_key, task_key
from inference_core.core.redis.client import open_client
from inference_core.core.redis.errors import redis_errors_as
from inference_core.core.redis.scripts import LuaScript
from inference_core.core.settings import Settings
from inference_core.tasks.record import TaskRecord

# A cancellation must be stored longer than its message, whose expiry workers check with a delay of a second or more.
CLOCK_MARGIN_S = 600


class ResultStoreUnavailableError(DependencyUnavailableError):
    """Raised if the store of task results does not respond in time. Retry after `retry_after_s` seconds."""

    code = "result_store_unavailable"
    detail = "The store of task results is not available. Try again shortly."


@dataclass(frozen=True, slots=True)
class ResultStore:
    """The result backend for the API. Every call can raise `ResultStoreUnavailableError`."""

    redis: Redis
    expires_s: int

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, on_reply: Callable[[float], None] | None = None
    ) -> AsyncIterator[ResultStore]:
        """Create the client of the store, which connects on first use. Close its connections at the end."""
        async with open_client(settings, settings.result_backend, on_reply=on_reply) as redis:
            yield cls(redis, settings.celery_result_expires_s)

    async def register(self, task_id: str, name: str, owner: str | None, tag: str | None = None) -> tuple[int, int]:
        """Register a task of `owner` (None for anonymous) before its message is sent.

        `tag` is stored in the record for the feature of the task. Returns the time of Redis as seconds and
        microseconds.
        """
        key = task_key(task_id)
        with redis_errors_as(ResultStoreUnavailableError):
            pipeline = self.redis.pipeline(transaction=True)
            pipeline.hset(key, mapping={"name": name, "owner": owner or "", "tag": tag or ""})
            pipeline.expire(key, self.expires_s + CLOCK_MARGIN_S)
            pipeline.time()
            *_, redis_time = await pipeline.execute()
        return cast("tuple[int, int]", redis_time)

    async def forget(self, task_id: str) -> None:
        """Remove a registration, because the message could not be sent."""
        with redis_errors_as(ResultStoreUnavailableError):
            await self.redis.delete(task_key(task_id))

    async def find(self, task_id: str) -> TaskRecord | None:
        """Return the record of a task. None if it was never submitted or its result has expired."""
        with redis_errors_as(ResultStoreUnavailableError):
            pipeline = self.redis.pipeline(transaction=False)
            pipeline.hgetall(task_key(task_id))
            pipeline.get(result_key(task_id))
            registered, meta = cast("tuple[dict[bytes, bytes], bytes | None]", await pipeline.execute())
        return TaskRecord.parse(task_id, registered, meta) if registered else None

    async def cancel(self, task_id: str) -> CancelOutcome:
        """Cancel a task that has not started. It will not start afterwards."""
        cancel = LuaScript(self.redis, SCRIPTS, "cancel_task", ResultStoreUnavailableError)
        answer = await cancel([task_key(task_id)])
        return cast("CancelOutcome", answer.decode())
