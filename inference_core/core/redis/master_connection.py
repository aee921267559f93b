"""Connections to the current master of a group that Redis Sentinel watches, for the pools of redis-py and kombu.

Each new connection asks the Sentinels for the master, and checks with `ROLE` that the server there is one. A connection
to another server than the latest known master is replaced before its next use, so a pool does not keep connections to
an old master.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from redis import connection as sync
from redis.asyncio import connection as asynchronous
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from inference_core.core.redis.masters import Masters
from inference_core.core.redis.writable_connection import AsyncWritableConnection, WritableConnection
from inference_core.core.redis_address import RedisAddress

UNREACHABLE = (RedisConnectionError, RedisTimeoutError)


class MasterConnection(WritableConnection):
    """A connection for threads and worker processes."""

    def __init__(self, *, masters: Masters, **options: Any) -> None:
        super().__init__(**options)
        self.masters = masters
        self.sentinel: RedisAddress | None = None

    def connect(self) -> None:
        """Connect, also if the connection is open to an old master. If a Sentinel names a wrong server, ask another."""
        if self.is_connected and self.masters.is_old((self.host, self.port)):
            self.disconnect()
        try:
            self.connect_check_health(retry_socket_connect=False)
        except RedisConnectionError:
            if self.sentinel is None:
                raise
            self.connect_check_health(retry_socket_connect=False)

    def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        """Connect to the server that the Sentinels name."""
        try:
            super().connect_check_health(check_health, retry_socket_connect)
        except UNREACHABLE:
            self.masters.doubt(self.sentinel)
            raise
        self.masters.confirm((self.host, self.port))

    def _connect(self) -> Any:
        self.sentinel = None
        self.sentinel, (self.host, self.port) = self.masters.find()
        return super()._connect()

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, and check that the server is a master."""
        super().on_connect_check_health(check_health)
        self.send_command("ROLE", check_health=False)
        with suppress(NoPermissionError):  # the user may not run ROLE, so Sentinel's answer must do
            require_master(self.read_response())


class MasterTlsConnection(MasterConnection, sync.SSLConnection):
    """The same with TLS."""


class AsyncMasterConnection(AsyncWritableConnection):
    """A connection for the event loop."""

    def __init__(self, *, masters: Masters, **options: Any) -> None:
        super().__init__(**options)
        self.masters = masters
        self.sentinel: RedisAddress | None = None

    async def connect(self) -> None:
        """Connect, also if the connection is open to an old master. If a Sentinel names a wrong server, ask another."""
        if self.is_connected and self.masters.is_old((self.host, self.port)):
            await self.disconnect()
        try:
            await self.connect_check_health(retry_socket_connect=False)
        except RedisConnectionError:
            if self.sentinel is None:
                raise
            await self.connect_check_health(retry_socket_connect=False)

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        """Connect to the server that the Sentinels name."""
        try:
            await super().connect_check_health(check_health, retry_socket_connect)
        except UNREACHABLE:
            self.masters.doubt(self.sentinel)
            raise
        self.masters.confirm((self.host, self.port))

    async def _connect(self) -> None:
        self.sentinel = None
        self.sentinel, (self.host, self.port) = await self.masters.find_async()
        await super()._connect()

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Log in, and check that the server is a master."""
        await super().on_connect_check_health(check_health)
        await self.send_command("ROLE", check_health=False)
        with suppress(NoPermissionError):
            require_master(await self.read_response())


class AsyncMasterTlsConnection(AsyncMasterConnection, asynchronous.SSLConnection):
    """The same with TLS."""


def require_master(reply: Any) -> None:
    """Check a reply to `ROLE`.

    Raises:
        RedisConnectionError: The server is a replica.
    """
    role = reply[0].decode() if isinstance(reply[0], bytes) else reply[0]
    if role != "master":
        raise RedisConnectionError(f"the server that Sentinel names as the master is a {role}")
