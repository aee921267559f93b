"""The process's Redis client: bounded in time on every call, one retry on a broken connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from inference_core.settings import Settings

if TYPE_CHECKING:
    Client = Redis


# A command takes a fraction of a millisecond, so that a burst is served sooner by waiting for one of a few connections
# than by opening one for each request.
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class RedisClient:
    """The pool of one process. Calls raise `redis.exceptions.RedisError`; features map that to their own errors."""

    client: Client

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[RedisClient]:
        """Make the client (which connects on first use) and close its connections at the end."""
        pool = BlockingConnectionPool.from_url(
            settings.redis_url,
            max_connections=CONNECTIONS,
            timeout=settings.redis_timeout_s,
            socket_connect_timeout=settings.redis_connect_timeout_s,
            socket_timeout=settings.redis_timeout_s,
            retry=Retry(NoBackoff(), retries=1, supported_errors=(RedisConnectionError,)),
            # Both only make the handshake longer: four round trips less for each connection.
            protocol=2,
            driver_info=None,
        )
        client = Redis(connection_pool=pool)
        try:
            yield cls(client)
        finally:
            await client.aclose()
            await pool.disconnect()
