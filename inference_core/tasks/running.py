"""The tasks that workers hold, by queue, from the records that the broker keeps of taken messages.

A message is in its queue, or recorded as taken until its task has ended. This also holds for a task that waits in a
worker, or whose worker was killed. So the sum of both says whether a queue needs workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from inference_core.core.redis.scripts import async_script

# Kombu's hash of the messages that workers have taken, by their delivery tags.
TAKEN_KEY = "unacked"
MOST_READ = 1000


class RunningTasks:
    """The queues of the taken messages. Each message is read once, and only the name of its queue leaves Redis."""

    def __init__(self, redis: Redis) -> None:
        self._script = async_script(redis, "inference_core.tasks", "queues_of_tasks")
        self._queues: dict[bytes, str] = {}
        self._last_sums: dict[str, int] = {}

    async def count(self, tags: Sequence[bytes], depths: Mapping[str, int]) -> dict[str, int]:
        """Return the number of tasks that workers hold for each queue of `depths`, which has the waiting messages.

        A worker of an older version takes a message from the queue shortly before it records it. So the sum of both
        numbers becomes less only if two consecutive readings say so.

        Args:
            tags: The fields of the hash `TAKEN_KEY`, read in one step with `depths`.
            depths: The number of waiting messages by queue.

        Raises:
            RedisError: Redis does not respond in time.
        """
        await self._learn([tag for tag in tags if tag not in self._queues][:MOST_READ])
        self._queues = {tag: self._queues[tag] for tag in tags if tag in self._queues}
        taken = Counter(self._queues.values())
        held = {queue: max(taken[queue], self._last_sums.get(queue, 0) - depth) for queue, depth in depths.items()}
        self._last_sums = {queue: taken[queue] + depth for queue, depth in depths.items()}
        return held

    async def _learn(self, tags: list[bytes]) -> None:
        if tags:
            queues = await self._script(keys=[TAKEN_KEY], args=tags)
            self._queues.update((tag, queue.decode()) for tag, queue in zip(tags, queues, strict=True) if queue)
