"""The load generator's own health: CPU and event-loop lag, so that a busy generator is not mistaken for a slow target.

What makes a process count as saturated, and why the limits do not cry wolf on a machine shared with the target:

- CPU: it used more than 90 % of one core, its own time only, averaged over any 10 s. A generator is one thread; at
  90 % requests queue inside it. What the target burns beside it does not enter.
- Lag: one in a hundred timer wake-ups came 250 ms late or more, so that it was often not there to make the load. A
  machine that merely switches between busy processes shows 5 to 50 ms.

Less lag than that makes latencies longer all the same. Whether it can have broken a rule is asked of each rule, by how
late the process was and how often (`loadgate.rules.lag`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from loadgate.units import duration, given, given_percentage, percentage, quantity

CPU_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """Beyond which a generator process counts as saturated; a suite may set its own in `loadgate.install`."""

    cpu_share: float = 0.9
    """Of one core, over `CPU_WINDOW_S`."""
    lag_p99_ms: float = 250.0


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """The health of one generator process over a run."""

    process: str
    cpu_mean_share: float
    """Own CPU time over wall time, 1.0 = one core."""
    cpu_peak_share: float
    """The highest mean over any `CPU_WINDOW_S` (over the whole run when that is shorter)."""
    lag_p99_ms: float
    lag_max_ms: float
    lag_samples: int
    cpu_limit_share: float
    lag_limit_ms: float

    @property
    def problem(self) -> str | None:
        """Why this process counts as saturated, or `None`."""
        if self.cpu_peak_share > self.cpu_limit_share:
            used = percentage(self.cpu_peak_share, self.cpu_limit_share)
            return (
                f"generator {self.process} used {used} of one core over {duration(CPU_WINDOW_S)} "
                f"(limit {given_percentage(self.cpu_limit_share)}); use --processes or another machine"
            )
        if self.lag_p99_ms > self.lag_limit_ms:
            late = quantity(self.lag_p99_ms, "ms", self.lag_limit_ms)
            return (
                f"generator {self.process} woke up {late} late in 1 % of cases "
                f"(limit {given(self.lag_limit_ms, 'ms')}): its machine was too busy to measure"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-able form that `from_json` reads, the problem included."""
        return {**asdict(self), "problem": self.problem}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GeneratorHealth:
        """Read what `to_json` wrote."""
        return cls(**{name: data[name] for name in cls.__slots__})
