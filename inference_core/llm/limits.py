"""What one user may ask for: requests a minute, requests at once, tokens a day; and the service's counts beside it.

All of it is in Redis, one atomic step at the beginning of a request and one at its end, so that it holds over all API
processes and workers. A request reserves the tokens it may take and settles with those it took. The reservation ends
by itself if its process dies.

Without Redis nothing that could cost money begins (503); the simulator, which costs nothing, goes on without limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from inference_core.exceptions import DependencyUnavailableError, ThrottledError
from inference_core.llm.config.schema import Limits
from inference_core.redis.errors import SessionStoreUnavailableError, redis_unavailable_as_domain_error
from inference_core.redis.scripts import LuaScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

PACKAGE = "inference_core.llm"
STATS_KEY = "llm:stats"
DAY_MS = 24 * 3600 * 1000
# A key per day is of use until the last request that began in it has ended.
KEEP_DAY_MS = 2 * DAY_MS

DETAILS = {
    "requests": "You ask too often. Try again later.",
    "concurrency": "Too many of your requests are being served. Try again when one has ended.",
    "tokens": "Your tokens of today do not suffice for this request. Ask for less, or try again later.",
}


class LLMLimitError(ThrottledError):
    """The caller has reached a limit of theirs; try again in `retry_after_s` seconds."""

    def __init__(self, limit: str, wait_ms: int) -> None:
        super().__init__(max(1, math.ceil(wait_ms / 1000)), DETAILS[limit])
        self.code = f"llm_{limit}_limit"


class LimitsUnavailableError(DependencyUnavailableError):
    """The limits of users cannot be read, so that nothing that could cost money is begun."""

    code = "llm_limits_unavailable"
    detail = "The limits of users cannot be read at the moment. Try again shortly."


class StatisticsUnavailableError(DependencyUnavailableError):
    """The counts cannot be read, for Redis does not answer in time."""

    code = "llm_stats_unavailable"
    detail = "The statistics cannot be read at the moment. Try again shortly."


@dataclass(frozen=True, slots=True)
class Lease:
    """A request that was let in; `mean_task_ms` is what a task has taken on average, None if unknown."""

    id: str
    key: str
    mean_task_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of all processes since Redis began to count."""

    requests_count: int
    total_tokens: int
    errors_count: int
    last_request: datetime | None


def _keys(key: str) -> tuple[str, str]:
    return f"llm:leases:{key}", f"llm:reserved:{key}"


def _day_key(key: str, now: datetime) -> str:
    return f"llm:tokens:{key}:{now.date().isoformat()}"


def ms_left_of_day(now: datetime) -> int:
    """Milliseconds until the next midnight, UTC."""
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return math.ceil((midnight - now).total_seconds() * 1000)


class UserLimits:
    """The limits of every user and the counts of the service; `key` names a user."""

    def __init__(self, client: Redis, limits: Limits) -> None:
        self._client = client
        self._limits = limits
        self._admit = LuaScript(client, PACKAGE, "admit")
        self._settle = LuaScript(client, PACKAGE, "settle")

    async def admit(self, key: str, lease_id: str, *, tokens: int, lease_s: float, may_cost: bool) -> Lease:
        """Let a request begin and reserve `tokens` for it, for `lease_s` at most.

        Raises:
            LLMLimitError: if a limit is reached.
            LimitsUnavailableError: if Redis does not answer and the request `may_cost` money.
        """
        now = datetime.now(UTC)
        limits = self._limits
        keys = [f"llm:requests:{key}", *_keys(key), _day_key(key, now), STATS_KEY]
        bounds = (limits.requests_per_minute, limits.concurrent_requests, limits.tokens_per_day)
        try:
            answer = await self._admit(keys, lease_id, *bounds, tokens, int(lease_s * 1000), ms_left_of_day(now))
        except SessionStoreUnavailableError as error:
            if may_cost:
                raise LimitsUnavailableError from error
            return Lease(lease_id, key)
        word, number = answer[0].decode(), int(answer[1])
        if word != "ok":
            raise LLMLimitError(word, number)
        return Lease(lease_id, key, number if number >= 0 else None)

    async def release(self, lease: Lease) -> None:
        """End a request that took nothing and is not to be counted."""
        await self._end(lease, counted=False)

    async def settle(self, lease: Lease, *, tokens: int, failed: bool, task_ms: int = 0) -> None:
        """End a request and count it."""
        await self._end(lease, counted=True, tokens=tokens, failed=failed, task_ms=task_ms)

    async def _end(
        self, lease: Lease, *, counted: bool, tokens: int = 0, failed: bool = False, task_ms: int = 0
    ) -> None:
        now = datetime.now(UTC)
        keys = [*_keys(lease.key), _day_key(lease.key, now), STATS_KEY]
        arguments = (int(counted), tokens, int(failed), now.isoformat(), task_ms, KEEP_DAY_MS)
        try:
            await self._settle(keys, lease.id, *arguments)
        except SessionStoreUnavailableError:
            # The answer has been given; what it took is in the database, and the lease ends by itself.
            log.warning("llm_request_not_counted", lease_id=lease.id, tokens=tokens)

    async def statistics(self) -> Statistics:
        """The counts.

        Raises:
            StatisticsUnavailableError: if Redis does not answer.
        """
        fields = ("requests_count", "total_tokens", "errors_count", "last_request")
        try:
            with redis_unavailable_as_domain_error():
                values: Any = await self._client.hmget(STATS_KEY, fields)
        except SessionStoreUnavailableError as error:
            raise StatisticsUnavailableError from error
        requests, tokens, errors, last = values
        last_request = datetime.fromisoformat(last.decode()) if last else None
        return Statistics(int(requests or 0), int(tokens or 0), int(errors or 0), last_request)
