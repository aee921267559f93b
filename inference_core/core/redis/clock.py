"""The clock of Redis, for times that one process sets and another process reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.redis.errors import redis_errors_as

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one Redis server. `unavailable` is the error if it does not respond in time."""

    client: Redis
    unavailable: type[DependencyUnavailableError]

    async def now(self) -> datetime:
        """Return the time as an aware datetime in UTC.

        Raises:
            DependencyUnavailableError: Redis does not respond in time.
        """
        with redis_errors_as(self.unavailable):
            seconds, microseconds = await self.client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
