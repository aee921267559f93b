"""How long the oldest message of each queue has waited."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from inference_core.core.queue.messages import SENT_AT
from inference_core.core.redis.scripts import async_script

# Celery's headers follow the body of a message, and have at most a few kB.
HEADERS_BYTES = 64 * 1024


class QueueAges:
    """The ages, by the clock of Redis. The messages stay in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._script = async_script(redis, "inference_core.tasks", "queue_ages")

    async def read(self, queues: Sequence[str]) -> dict[str, float]:
        """Return the seconds since the oldest message of each queue was sent, 0 for an empty queue.

        Raises:
            RedisError: Redis does not respond in time.
        """
        ages = await self._script(keys=list(queues), args=[SENT_AT, HEADERS_BYTES])
        return {queue: float(age) for queue, age in zip(queues, ages, strict=True)}
