"""Load Lua scripts from the folder `lua` of a package. Each runs as one atomic step and one round trip."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.commands.core import AsyncScript, Script

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.core.redis.errors import redis_errors_as

if TYPE_CHECKING:
    from redis import Redis as SyncRedis
    from redis.asyncio import Redis


@cache
def read_script(package: str, name: str) -> str:
    """Return the text of a script."""
    return files(package).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def sync_script(client: SyncRedis, package: str, name: str) -> Script:
    """Return a script for threads and worker processes. Call it with `keys` and `args`; it raises `RedisError`."""
    return client.register_script(read_script(package, name))


def async_script(client: Redis, package: str, name: str) -> AsyncScript:
    """Return a script for background tasks of the event loop. Call it as a sync one; it raises `RedisError`."""
    return client.register_script(read_script(package, name))


class LuaScript:
    """A script for the event loop. It is sent by its hash, and completely only if the server does not know it."""

    def __init__(self, client: Redis, package: str, name: str, unavailable: type[DependencyUnavailableError]) -> None:
        self._script = async_script(client, package, name)
        self._unavailable = unavailable

    async def __call__(self, keys: list[str], *args: str | int) -> Any:  # what a script returns varies
        """Run the script.

        Raises:
            DependencyUnavailableError: Redis does not respond in time. It is the class given to the constructor.
        """
        with redis_errors_as(self._unavailable):
            return await self._script(keys=keys, args=args)
