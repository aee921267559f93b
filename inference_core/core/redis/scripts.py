"""Load the Lua scripts of a feature. Each runs as one atomic step and one round trip."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from inference_core.core.redis.errors import redis_unavailable_as_domain_error

if TYPE_CHECKING:
    from redis.asyncio import Redis


class LuaScript:
    """A script of `package`. It is sent by its hash, and completely only if the server does not know it."""

    def __init__(self, client: Redis, package: str, name: str) -> None:
        source = files(package).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        self._script = client.register_script(source)

    async def __call__(self, keys: list[str], *args: str | int) -> Any:  # what a script returns varies
        """Run the script.

        Raises:
            SessionStoreUnavailableError: Redis does not respond in time.
        """
        with redis_unavailable_as_domain_error():
            return await self._script(keys=keys, args=args)
