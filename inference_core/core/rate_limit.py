"""Rate limits such as `10/minute`, which hold exactly over all processes that use one Redis."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference_core.core.exceptions import DependencyUnavailableError, OperatorError, ThrottledError
from inference_core.core.redis.scripts import LuaScript

if TYPE_CHECKING:
    from redis.asyncio import Redis

PACKAGE = "inference_core.core.redis"
UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}
RATE = re.compile(r"([1-9][0-9]{0,6})/(?:(second|minute|hour|day)|([1-9][0-9]{0,6})([smhd]))")
MOST_REQUESTS = 1_000_000
LONGEST_WINDOW_S = 31 * 24 * 3600
# Redis stores at most this number of times for each counter, and one more.
MOST_BLOCKS = 100


class RateError(OperatorError):
    """Raised if the text of a rate limit cannot be read."""


class RateLimitedError(ThrottledError):
    """Raised if a rate limit is exceeded. Retry after `retry_after_s` seconds."""

    code = "rate_limited"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s, f"Rate limit exceeded. Retry in {retry_after_s} s.")


class RateLimitUnavailableError(DependencyUnavailableError):
    """Raised if Redis, which stores the counters of rate limits, does not respond in time."""

    code = "rate_limit_unavailable"
    detail = "The rate limit cannot be checked. Try again shortly."


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` requests in any window of `window_s` seconds."""

    count: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Parse a rate such as `10/minute` (second, minute, hour, day) or `5/30s` (s, m, h, d).

        Raises:
            RateError: The text is not a rate, or the count or the window is too large.
        """
        match = RATE.fullmatch(text)
        if match is None:
            raise RateError(
                f"rate limit {text[:40]!r}: must be a count and a time, such as 10/minute, 1000/day or 5/30s"
            )
        count = int(match[1])
        window_s = UNITS_S[match[2]] if match[2] else int(match[3]) * _seconds_of(match[4])
        if count > MOST_REQUESTS or window_s > LONGEST_WINDOW_S:
            raise RateError(f"rate limit {text!r}: must have at most {MOST_REQUESTS} requests in at most 31 days")
        return cls(count, window_s)

    def __str__(self) -> str:
        return f"{self.count}/{self.window_s}s"

    @property
    def block(self) -> int:
        """Return the number of admissions that are stored as one: 1 for up to `MOST_BLOCKS` requests.

        For more requests, the limit holds as well, but a request can wait longer by the time of one block.
        """
        return math.ceil(self.count / MOST_BLOCKS)


class RateLimiter:
    """The counters of one Redis, by its clock. Each has a bounded size and expires with its window."""

    def __init__(self, client: Redis) -> None:
        self._admit = LuaScript(client, PACKAGE, "rate_limit", RateLimitUnavailableError)

    async def admit(self, name: str, rate: Rate) -> None:
        """Count a request under `name`. A refused request does not count.

        Raises:
            RateLimitedError: The limit is reached.
            RateLimitUnavailableError: Redis does not respond in time.
        """
        wait_us = await self._admit([f"rate:{rate}:{name}"], rate.count, rate.window_s * 1_000_000, rate.block)
        if wait_us:
            raise RateLimitedError(math.ceil(wait_us / 1_000_000))


def _seconds_of(letter: str) -> int:
    return next(seconds for unit, seconds in UNITS_S.items() if unit.startswith(letter))
