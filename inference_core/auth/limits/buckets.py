"""Token buckets in Redis. One atomic step takes from several buckets. A key expires when its bucket is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_core.auth.errors import SessionStoreUnavailableError
from inference_core.core.redis.scripts import LuaScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

PACKAGE = "inference_core.auth.limits"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of `capacity` units under one key. An empty bucket is full again after `window_s`."""

    key: str
    capacity: int
    window_s: float

    @property
    def interval_ms(self) -> str:
        """Return the time in which one unit is refilled."""
        return f"{self.window_s * 1000 / self.capacity:.3f}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The key of the active lock or the empty bucket, and the remaining time."""

    key: str
    wait_ms: int


class Buckets:
    """The buckets of one Redis. Every call raises `SessionStoreUnavailableError` when Redis does not respond."""

    def __init__(self, client: Redis) -> None:
        self._take = LuaScript(client, PACKAGE, "bucket_take", SessionStoreUnavailableError)
        self._return = LuaScript(client, PACKAGE, "bucket_return", SessionStoreUnavailableError)

    async def take(self, buckets: Sequence[Bucket], *, unless_locked: Sequence[str] = ()) -> Refusal | None:
        """Take a unit from each bucket, or return a refusal and take none."""
        keys = [*unless_locked, *(bucket.key for bucket in buckets)]
        sizes = [size for bucket in buckets for size in (bucket.capacity, bucket.interval_ms)]
        index, wait_ms = await self._take(keys, len(unless_locked), *sizes)
        return Refusal(keys[int(index) - 1], int(wait_ms)) if index else None

    async def give_back(self, buckets: Sequence[Bucket]) -> None:
        """Put a unit back into each bucket."""
        await self._return([bucket.key for bucket in buckets], *(bucket.interval_ms for bucket in buckets))
