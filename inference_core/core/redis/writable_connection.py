"""Connections that end if their server refuses a write because it is a replica.

The address of a server can lead to another one after a failover (DNS, a virtual address, a load balancer). The open
connections still lead to the old one, which can live on as a replica. The next connection follows the address.
"""

from __future__ import annotations

from typing import Any

from redis import connection as sync
from redis.asyncio import connection as asynchronous
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

DEMOTED = "the server is no longer the master"


class WritableConnection(sync.Connection):
    """A connection for threads and worker processes."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. A refused write ends the connection."""
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            if not is_read_only(error):
                raise
            self.disconnect()
            raise RedisConnectionError(DEMOTED) from error


class WritableTlsConnection(WritableConnection, sync.SSLConnection):
    """The same with TLS."""


class AsyncWritableConnection(asynchronous.Connection):
    """A connection for the event loop."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. A refused write ends the connection."""
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if not is_read_only(error):
                raise
            await self.disconnect(nowait=True)
            raise RedisConnectionError(DEMOTED) from error


class AsyncWritableTlsConnection(AsyncWritableConnection, asynchronous.SSLConnection):
    """The same with TLS."""


def is_read_only(error: ResponseError) -> bool:
    """Return whether a server refused a write because it is a replica.

    Redis before version 7 puts other text before the code if a script wrote.
    """
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)
