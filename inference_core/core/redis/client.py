"""The Redis clients of the service. Every call has a timeout, and keys have the prefix of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis import ConnectionPool
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url as async_parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError

from inference_core.core.redis.keyspace import AsyncKeyspace, SyncKeyspace
from inference_core.core.redis.master_connection import (
    AsyncMasterConnection,
    AsyncMasterTlsConnection,
    MasterConnection,
    MasterTlsConnection,
)
from inference_core.core.redis.masters import Masters
from inference_core.core.redis.writable_connection import (
    AsyncWritableConnection,
    AsyncWritableTlsConnection,
    WritableConnection,
    WritableTlsConnection,
)
from inference_core.core.redis_address import RedisAddress
from inference_core.core.settings import Settings

if TYPE_CHECKING:
    Client = Redis


# A command takes a fraction of a millisecond. In a burst, waiting for one of a few connections is faster than opening
# new ones.
CONNECTIONS = 16


@asynccontextmanager
async def open_client(
    settings: Settings,
    url: str,
    *,
    connections: int = CONNECTIONS,
    retries: int = 1,
    on_reply: Callable[[float], None] | None = None,
) -> AsyncIterator[Client]:
    """Create a client for the event loop, which connects on first use. Close its connections at the end.

    Args:
        settings: The timeouts, and the prefix of the keys.
        url: A URL of the settings.
        connections: Maximum number of connections. If all are in use, a command waits for one, at most for the timeout
            of a reply.
        retries: Number of retries of a command after a lost connection.
        on_reply: Called with the seconds of each command or pipeline, including failed ones and the wait for a
            connection.
    """
    pool = BlockingConnectionPool(
        **_async_server_options(settings, url),
        max_connections=connections,
        timeout=settings.redis_timeout_s,
        socket_connect_timeout=settings.redis_connect_timeout_s,
        socket_timeout=settings.redis_timeout_s,
        retry=Retry(NoBackoff(), retries=retries, supported_errors=(RedisConnectionError,)),
        # These options save four round trips in the handshake of a connection.
        protocol=2,
        driver_info=None,
    )
    client = AsyncKeyspace(settings.key_prefix, on_reply, connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()


def broker_client(settings: Settings) -> SyncKeyspace:
    """Return a client of the broker for threads and worker processes. Use it as a context manager."""
    return sync_client(settings, settings.broker_url)


def sync_client(settings: Settings, url: str) -> SyncKeyspace:
    """Return a client for threads and worker processes. `url` is a URL of the settings."""
    pool = sync_pool(settings, url)
    client = SyncKeyspace(settings.key_prefix, connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def sync_pool(settings: Settings, url: str, **options: Any) -> ConnectionPool:
    """Return a pool of connections for threads and worker processes. `options` are further ones of redis-py."""
    address = RedisAddress.parse(url)
    timeouts = {
        "socket_connect_timeout": settings.redis_connect_timeout_s,
        "socket_timeout": settings.redis_timeout_s,
    }
    server: dict[str, Any] = parse_url(address.server_url)  # type: ignore[no-untyped-call]
    if address.sentinels:
        server["connection_class"] = MasterConnection if address.tls is None else MasterTlsConnection
        server["masters"] = Masters.of(address, settings.redis_connect_timeout_s)
    elif not address.path:
        server["connection_class"] = WritableConnection if address.tls is None else WritableTlsConnection
    return ConnectionPool(**{**timeouts, **options, **server})


def _async_server_options(settings: Settings, url: str) -> dict[str, Any]:
    address = RedisAddress.parse(url)
    options: dict[str, Any] = {**async_parse_url(address.server_url)}
    if address.sentinels:
        options["connection_class"] = AsyncMasterConnection if address.tls is None else AsyncMasterTlsConnection
        options["masters"] = Masters.of(address, settings.redis_connect_timeout_s)
    elif not address.path:
        options["connection_class"] = AsyncWritableConnection if address.tls is None else AsyncWritableTlsConnection
    return options


@dataclass(frozen=True, slots=True)
class RedisClient:
    """The client of one process. Calls raise `redis.exceptions.RedisError`, which features map to their own errors."""

    client: Client

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, on_reply: Callable[[float], None] | None = None
    ) -> AsyncIterator[RedisClient]:
        """Create the client, which connects on first use. Close its connections at the end."""
        async with open_client(settings, settings.redis_url, on_reply=on_reply) as client:
            yield cls(client)
