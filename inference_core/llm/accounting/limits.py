"""The limits of each user (requests per minute, concurrent requests, tokens per day), and the request counts.

The counters are in Redis, so the limits apply across all API processes and workers. One atomic step admits a request,
and another one ends it. A request reserves its maximum number of tokens. Its prompt is counted before it is sent, and
the rest when the request ends. If the process crashes, the reservation expires, and the prompt remains counted.

Updates that Redis does not accept in time are stored and retried, so leases are released after an outage.

Without Redis, requests that could cost money are refused (503). The simulator costs nothing and works without limits.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inference_core.core.exceptions import DependencyUnavailableError, ThrottledError
from inference_core.core.loggers import get_logger
from inference_core.core.redis.errors import redis_errors_as
from inference_core.core.redis.scripts import LuaScript
from inference_core.llm.config.schema import Limits

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger(__name__)

PACKAGE = "inference_core.llm.accounting"
STATS_KEY = "llm:stats"
DAY_MS = 24 * 3600 * 1000
# The key of a day is needed until the last request of that day has ended.
KEEP_DAY_MS = 2 * DAY_MS
# Maximum number of ended requests that Redis has not accepted. Older ones expire by themselves.
MOST_UNSETTLED = 10_000
UNSETTLED_KEEP_S = 900.0
# Time that a lease lasts longer than its request can, for the clean-up.
LEASE_MARGIN_S = 60.0

DETAILS = {
    "requests": "Rate limit exceeded. Try again later.",
    "concurrency": "Too many concurrent requests. Try again when one of them has ended.",
    "tokens": "Daily token quota exceeded. Reduce max_tokens, or try again later.",
}


class LLMLimitError(ThrottledError):
    """Raised if the caller has reached a limit. Retry after `retry_after_s` seconds."""

    def __init__(self, limit: str, wait_ms: int) -> None:
        super().__init__(max(1, math.ceil(wait_ms / 1000)), DETAILS[limit])
        self.code = f"llm_{limit}_limit"


class LimitsUnavailableError(DependencyUnavailableError):
    """Raised if the limits cannot be read. Requests that can cost money are then refused."""

    code = "llm_limits_unavailable"
    detail = "The limits of users cannot be read at the moment. Try again shortly."


class StatisticsUnavailableError(DependencyUnavailableError):
    """Raised if the counts cannot be read, because Redis does not respond in time."""

    code = "llm_stats_unavailable"
    detail = "The statistics cannot be read at the moment. Try again shortly."


@dataclass(frozen=True, slots=True)
class Lease:
    """An admitted request.

    Attributes:
        id: Identifies the request: the id of its task or stream.
        key: Identifies the user.
        day: The day (UTC) to which its tokens are counted.
        counted: The number of its tokens that are counted already.
        admitted: False if Redis did not respond, so the request has no lease.
        mean_task_ms: The mean duration of a task; None if unknown.
    """

    id: str
    key: str
    day: date = field(default_factory=lambda: datetime.now(UTC).date())
    counted: int = 0
    admitted: bool = True
    mean_task_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """One call of `end.lua`. After `until_s` (monotonic clock) the lease has expired and the call is not needed."""

    lease: Lease
    tokens: int
    requests: int = 0
    errors: int = 0
    task_ms: int = 0
    until_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of all processes since the counts in Redis started."""

    requests_count: int
    total_tokens: int
    errors_count: int
    last_request: datetime | None


def lease_keys(key: str) -> tuple[str, str]:
    """Return the keys of the leases of `key` and of their reserved tokens."""
    return f"llm:leases:{key}", f"llm:reserved:{key}"


def _day_key(key: str, day: date) -> str:
    return f"llm:tokens:{key}:{day.isoformat()}"


def ms_left_of_day(now: datetime) -> int:
    """Return the milliseconds until the next midnight in UTC."""
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return math.ceil((midnight - now).total_seconds() * 1000)


class UserLimits:
    """The limits of all users and the counts of the service. `key` identifies a user."""

    def __init__(self, client: Redis, limits: Limits) -> None:
        self._client = client
        self._limits = limits
        self._admit = LuaScript(client, PACKAGE, "admit", LimitsUnavailableError)
        self._count_prompt = LuaScript(client, PACKAGE, "count_prompt", LimitsUnavailableError)
        self._end = LuaScript(client, PACKAGE, "end", LimitsUnavailableError)
        self._unsettled: deque[_End] = deque(maxlen=MOST_UNSETTLED)

    async def admit(
        self, key: str, lease_id: str, *, tokens: int, prompt: int = 0, lease_s: float, may_cost: bool
    ) -> Lease:
        """Admit a request, and reserve tokens for it.

        Args:
            key: Identifies the user.
            lease_id: Identifies the request.
            tokens: The tokens to reserve.
            prompt: The tokens among them that are counted immediately.
            lease_s: The time after which the reservation expires.
            may_cost: Whether the request could cost money.

        Raises:
            LLMLimitError: A limit is reached.
            LimitsUnavailableError: Redis does not respond, and the request could cost money.
        """
        now = datetime.now(UTC)
        lease = Lease(lease_id, key, now.date(), counted=prompt)
        limits = self._limits
        keys = [f"llm:requests:{key}", *lease_keys(key), _day_key(key, lease.day), STATS_KEY]
        bounds = (limits.requests_per_minute, limits.concurrent_requests, limits.tokens_per_day)
        times = (int(lease_s * 1000), ms_left_of_day(now), now.isoformat(), KEEP_DAY_MS)
        try:
            answer = await self._admit(keys, lease_id, *bounds, tokens, prompt, *times)
        except BaseException as error:
            # Redis may still execute the call later.
            self._unsettled.append(_End(lease, -prompt, requests=-1, until_s=time.monotonic() + lease_s))
            if may_cost or not isinstance(error, LimitsUnavailableError):
                raise
            return replace(lease, counted=0, admitted=False)
        word, number = answer[0].decode(), int(answer[1])
        if word != "ok":
            raise LLMLimitError(word, number)
        return replace(lease, mean_task_ms=number if number >= 0 else None)

    async def count_prompt(self, lease: Lease, prompt: int, lease_s: float) -> Lease:
        """Count the prompt of a task before it is sent. The lease is valid for `lease_s` from now."""
        keys = [*lease_keys(lease.key), _day_key(lease.key, lease.day), STATS_KEY]
        try:
            await self._count_prompt(keys, lease.id, prompt, int(lease_s * 1000), KEEP_DAY_MS)
        except LimitsUnavailableError:
            return lease
        return replace(lease, counted=lease.counted + prompt)

    async def release(self, lease: Lease) -> None:
        """End a request without further tokens."""
        await self._finish(_End(lease, 0))

    async def withdraw(self, lease: Lease) -> None:
        """Undo a request that could not be started."""
        await self._finish(_End(lease, -lease.counted, requests=-1))

    async def settle(self, lease: Lease, *, tokens: int, failed: bool, task_ms: int = 0) -> None:
        """End a request that used `tokens` in total."""
        await self._finish(
            _End(lease, tokens - lease.counted, requests=int(not lease.admitted), errors=int(failed), task_ms=task_ms)
        )

    async def _finish(self, end: _End) -> None:
        try:
            await self._run(end)
        except LimitsUnavailableError:
            log.warning("llm_request_not_settled", lease_id=end.lease.id, tokens=end.tokens)
            if end.lease.admitted:
                self._unsettled.append(replace(end, until_s=time.monotonic() + UNSETTLED_KEEP_S))

    async def _run(self, end: _End) -> None:
        lease = end.lease
        keys = [*lease_keys(lease.key), _day_key(lease.key, lease.day), STATS_KEY]
        numbers = (end.tokens, end.requests, end.errors, end.task_ms, KEEP_DAY_MS)
        if lease.admitted:
            # A repeated call has no further effect, because the first one has removed the lease.
            await self._end(keys, lease.id, *numbers, "held")
        else:
            await self._end(keys, f"{lease.id}:not-admitted", *numbers, "any")

    @property
    def unsettled(self) -> int:
        """Return the number of ended requests that Redis has not accepted."""
        return len(self._unsettled)

    async def settle_again(self) -> bool:
        """Retry updates that Redis has not accepted. Return False if it still does not respond."""
        for _ in range(len(self._unsettled)):
            end = self._unsettled[0]
            if time.monotonic() < end.until_s:
                try:
                    await self._run(end)
                except LimitsUnavailableError:
                    return False
            self._unsettled.popleft()
        return True

    async def statistics(self) -> Statistics:
        """Return the request counts.

        Raises:
            StatisticsUnavailableError: Redis does not respond in time.
        """
        fields = ("requests_count", "total_tokens", "errors_count", "last_request")
        with redis_errors_as(StatisticsUnavailableError):
            values: Any = await self._client.hmget(STATS_KEY, fields)
        requests, tokens, errors, last = values
        last_request = datetime.fromisoformat(last.decode()) if last else None
        return Statistics(int(requests or 0), int(tokens or 0), int(errors or 0), last_request)
