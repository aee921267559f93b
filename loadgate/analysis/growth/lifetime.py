"""The time until a growing quantity reaches its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadgate.analysis.growth.growth import Growth


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The time from the end of the run until a limit is reached, in seconds. It is infinite without a growth."""

    limit: float
    seconds: float
    low_s: float
    high_s: float


def lifetime(growth: Growth, limit: float) -> Lifetime:
    """Return the time until a quantity reaches `limit`, from the bounds of its slope. It starts at the fitted end."""
    room = max(0.0, limit - growth.end)
    return Lifetime(limit, _time(room, growth.per_s), _time(room, growth.high_per_s), _time(room, growth.low_per_s))


def _time(room: float, per_s: float) -> float:
    if room == 0:
        return 0.0
    return room / per_s if per_s > 0 else math.inf
