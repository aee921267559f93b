"""The one clock of the service: Redis', for times that one process sets and another one reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inference_core.redis.errors import redis_unavailable_as_domain_error

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one Redis server."""

    client: Redis

    async def now(self) -> datetime:
        """The time, aware, in UTC.

        Raises:
            SessionStoreUnavailableError: if Redis does not answer in time.
        """
        with redis_unavailable_as_domain_error():
            seconds, microseconds = await self.client.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
