"""The search for the current master of a group that Redis Sentinel watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis as SyncRedis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as SyncRetry
from redis.sentinel import MasterNotFoundError

from inference_core.core.redis_address import RedisAddress

ASK = "SENTINEL GET-MASTER-ADDR-BY-NAME"

Server = tuple[str, int]


@dataclass(slots=True)
class Masters:
    """The search for the master of one group, shared by the connections of a pool.

    A Sentinel whose answer was of no use is asked last: a Sentinel that is cut off from the others can name an old
    master for as long as it is cut off.

    Attributes:
        name: The name of the master, which stays the same after a failover.
        sentinels: The Sentinels, in the order in which they are asked.
        timeout_s: Longest time to connect to a Sentinel, and to wait for its answer.
        server: The latest known master.
    """

    name: str
    sentinels: list[RedisAddress]
    timeout_s: float
    server: Server | None = None

    @classmethod
    def of(cls, address: RedisAddress, timeout_s: float) -> Masters:
        """Return the search for the master of an address."""
        return cls(address.master, list(address.sentinels), timeout_s)

    def find(self) -> tuple[RedisAddress, Server]:
        """Ask the Sentinels one after the other. Return the first that answers, and its answer.

        Raises:
            MasterNotFoundError: No Sentinel knows the master. The text has the reason of each.
        """
        reasons: list[str] = []
        for sentinel in tuple(self.sentinels):
            try:
                with SyncRedis.from_url(sentinel.url, **self._options(), retry=SyncRetry(NoBackoff(), 0)) as client:
                    answer = client.execute_command(ASK, self.name)
            except (RedisError, OSError) as error:
                answer = error
            if (server := self._server(sentinel, answer, reasons)) is not None:
                return sentinel, server
        raise self._not_found(reasons)

    async def find_async(self) -> tuple[RedisAddress, Server]:
        """Do the same as `find` on the event loop."""
        reasons: list[str] = []
        for sentinel in tuple(self.sentinels):
            try:
                options = {**self._options(), "retry": AsyncRetry(NoBackoff(), 0)}
                async with AsyncRedis.from_url(sentinel.url, **options) as client:
                    answer = await client.execute_command(ASK, self.name)  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                answer = error
            if (server := self._server(sentinel, answer, reasons)) is not None:
                return sentinel, server
        raise self._not_found(reasons)

    def is_old(self, server: Server) -> bool:
        """Return whether another server is known to be the master."""
        return self.server is not None and self.server != server

    def confirm(self, server: Server) -> None:
        """Remember the master, to which a connection has just been made."""
        self.server = server

    def doubt(self, sentinel: RedisAddress | None) -> None:
        """Ask this Sentinel last from now on."""
        if self.sentinels[0] == sentinel:
            self.sentinels.append(self.sentinels.pop(0))

    def _options(self) -> dict[str, Any]:
        timeouts = {"socket_connect_timeout": self.timeout_s, "socket_timeout": self.timeout_s}
        return {**timeouts, "decode_responses": True, "protocol": 2, "driver_info": None}

    def _server(self, sentinel: RedisAddress, answer: Any, reasons: list[str]) -> Server | None:
        """Return the server in an answer. Without one, add the reason to `reasons`, and ask this Sentinel last."""
        if isinstance(answer, Exception):
            reasons.append(f"{sentinel.authority}: {answer}")
        elif not answer:
            reasons.append(f"{sentinel.authority}: no such master")
        else:
            return answer[0], int(answer[1])
        self.doubt(sentinel)
        return None

    def _not_found(self, reasons: list[str]) -> MasterNotFoundError:
        return MasterNotFoundError(f"no Sentinel knows the master {self.name!r} ({'; '.join(reasons)})")
