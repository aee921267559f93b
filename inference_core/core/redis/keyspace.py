"""Redis clients that add the prefix of the service to every key, so that several services can share one database.

Features use keys without the prefix. A command with unknown key positions is refused, because it could access keys of
other services.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, cast

from redis import Redis as SyncRedis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline as SyncPipeline

# Commands whose first argument is the key.
FIRST_IS_KEY = {
    *("GET", "SET", "GETDEL", "INCR", "INCRBY", "EXPIRE", "EXPIREAT", "PEXPIRE", "PEXPIREAT", "TTL", "PTTL", "TYPE"),
    *("HSET", "HSETNX", "HGET", "HMGET", "HGETALL", "HDEL", "HEXISTS", "HINCRBY", "HKEYS", "HLEN", "HVALS"),
    *("LPUSH", "RPUSH", "LPOP", "RPOP", "LLEN", "LTRIM", "LRANGE", "LREM", "LINDEX"),
    *("SADD", "SREM", "SMEMBERS", "SCARD", "SISMEMBER"),
    *("ZADD", "ZREM", "ZRANGE", "ZRANGEBYSCORE", "ZREMRANGEBYSCORE", "ZCARD", "ZCOUNT", "ZSCORE", "ZPOPMIN", "ZINCRBY"),
}
ALL_ARE_KEYS = frozenset({"DEL", "UNLINK", "EXISTS", "MGET", "WATCH"})
# Commands whose second argument is the number of keys.
COUNTED_KEYS = frozenset({"EVAL", "EVALSHA"})
NO_KEYS = frozenset({"PING", "TIME", "INFO", "CONFIG GET", "SCRIPT LOAD", "SCRIPT EXISTS", "UNWATCH"})


class UnknownKeysError(Exception):
    """Raised for a command with unknown key positions. Add it to one of the lists above."""


def prefixed(prefix: str, command: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a command with `prefix` before each of its keys.

    Raises:
        UnknownKeysError: The key positions of the command are unknown.
    """
    name, *arguments = command
    if name == "SCAN" and arguments[1:2] == [b"MATCH"]:
        first, last = 2, 3
    elif name in FIRST_IS_KEY:
        first, last = 0, 1
    elif name in ALL_ARE_KEYS:
        first, last = 0, len(arguments)
    elif name in COUNTED_KEYS:
        first, last = 2, 2 + int(arguments[1])
    elif name in NO_KEYS:
        first, last = 0, 0
    else:
        raise UnknownKeysError(f"the key positions of {name} are unknown; add it to a list in {__name__}")
    keys = [prefix + _text(key) for key in arguments[first:last]]
    return (name, *arguments[:first], *keys, *arguments[last:])


def _parse_scan(prefix: str) -> Callable[..., tuple[int, list[Any]]]:
    """Return the keys in a reply to SCAN without `prefix`."""

    def parse(response: Any, **_: Any) -> tuple[int, list[Any]]:
        cursor, keys = response
        return int(cursor), [key[len(prefix) :] for key in keys]

    return parse


def _text(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key


async def _timed(reply: Awaitable[Any], observe: Callable[[float], None] | None) -> Any:
    """Await a reply, and call `observe` with the seconds that it took."""
    start_s = perf_counter()
    try:
        return await reply
    finally:
        if observe is not None:
            observe(perf_counter() - start_s)


class _Prefixing:
    """A mixin that adds `key_prefix` to the keys of each command."""

    key_prefix: str

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command with keys without the prefix."""
        return super().execute_command(*prefixed(self.key_prefix, args), **options)  # type: ignore[misc]  # a mixin


class _AsyncPipeline(_Prefixing, AsyncPipeline):  # type: ignore[misc]  # redis-py's own bases disagree
    """A pipeline of commands."""

    on_reply: Callable[[float], None] | None = None

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send the commands and return the replies."""
        return cast("list[Any]", await _timed(super().execute(raise_on_error), self.on_reply))


class _SyncPipeline(_Prefixing, SyncPipeline):
    """A pipeline of commands."""


class AsyncKeyspace(_Prefixing, AsyncRedis):  # type: ignore[misc]  # redis-py's own bases disagree
    """A client for the event loop."""

    def __init__(self, key_prefix: str, on_reply: Callable[[float], None] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.key_prefix = key_prefix
        self.on_reply = on_reply
        self.set_response_callback("SCAN", _parse_scan(key_prefix))

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command with keys without the prefix."""
        return await _timed(super().execute_command(*args, **options), self.on_reply)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> AsyncPipeline:
        """Return a pipeline."""
        pipeline = _AsyncPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.key_prefix = self.key_prefix
        pipeline.on_reply = self.on_reply
        return pipeline


class SyncKeyspace(_Prefixing, SyncRedis):
    """A client for threads and worker processes."""

    def __init__(self, key_prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self.key_prefix = key_prefix
        self.set_response_callback("SCAN", _parse_scan(key_prefix))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> SyncPipeline:
        """Return a pipeline."""
        pipeline = _SyncPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.key_prefix = self.key_prefix
        return pipeline
