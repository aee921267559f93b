"""When a disturbance is on, and the delay it leaves behind: a known function of time. Pure but for the arrivals told.

While it is on, the added delay grows at a constant rate up to a peak. When it is over, the delay falls to 1/e of itself
every `tau_s` seconds, or not at all.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drain:
    """How the added delay of a queue grows and drains, in seconds."""

    peak_s: float
    """The most that is added; 0 for a disturbance that slows nothing."""
    build_s: float
    """How long a disturbance has to last for the peak."""
    tau_s: float
    """`math.inf`: the delay stays."""

    def grown(self, level_s: float, for_s: float) -> float:
        return min(self.peak_s, level_s + self.peak_s * for_s / self.build_s)

    def drained(self, level_s: float, for_s: float) -> float:
        return level_s * math.exp(-for_s / self.tau_s)

    def drained_after(self, level_s: float, below_s: float) -> float:
        """How long a delay takes until it is at or below another one; `math.inf` if it never is."""
        if level_s <= below_s:
            return 0.0
        return self.tau_s * math.log(level_s / below_s) if below_s > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment at which a disturbance began or ended, in epoch seconds, and the added delay at that moment."""

    at: float
    on: bool
    level_s: float


class Disturbance:
    """The course of all disturbances so far."""

    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        self.turns: list[Turn] = []

    @property
    def on(self) -> bool:
        return bool(self.turns) and self.turns[-1].on

    def turn(self, now: float, *, on: bool) -> None:
        """Begin or end a disturbance; no change if it is as it should be."""
        if on != self.on:
            self.turns.append(Turn(now, on, self.added_s(now)))

    def added_s(self, now: float) -> float:
        """Return the added delay of a request that arrives at `now`, which must not be before the last turn."""
        if not self.turns:
            return 0.0
        last = self.turns[-1]
        return (self.drain.grown if last.on else self.drain.drained)(last.level_s, now - last.at)

    def calm_from(self, below_s: float) -> float | None:
        """Return the epoch second from which the added delay stays at or below `below_s`.

        Return `None` if it never does, or a disturbance is still on. A delay that was never above `below_s` is calm
        from the beginning of the first disturbance.
        """
        if self.on or not self.turns:
            return None
        for turn in reversed(self.turns):
            if not turn.on and turn.level_s > below_s:
                calm = turn.at + self.drain.drained_after(turn.level_s, below_s)
                return calm if math.isfinite(calm) else None
        return self.turns[0].at

    def truth(self, below_s: float) -> dict[str, float | bool | None]:
        """Return the schedule for JSON; moments are epoch seconds, `None` for what has not happened."""
        ended = self.turns[-1] if self.turns and not self.on else None
        return {
            "began": self.turns[0].at if self.turns else None,
            "ended": ended.at if ended else None,
            "level_at_end_s": ended.level_s if ended else None,
            "peak_s": self.drain.peak_s,
            "tau_s": self.drain.tau_s if math.isfinite(self.drain.tau_s) else None,
            "on": self.on,
            "below_s": below_s,
            "calm_from": self.calm_from(below_s),
        }


class Overload:
    """Whether more requests arrived in the last second, or the last `window_s`, than a limit per second."""

    def __init__(self, limit_per_s: float, window_s: float = 1.0) -> None:
        self._limit, self._window_s = limit_per_s * window_s, window_s
        self._arrivals: deque[float] = deque()

    def arrived(self, now: float) -> None:
        self._arrivals.append(now)

    def on(self, now: float) -> bool:
        while self._arrivals and self._arrivals[0] <= now - self._window_s:
            self._arrivals.popleft()
        return len(self._arrivals) > self._limit
