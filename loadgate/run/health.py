"""The CPU use and the event-loop lag of the load generator, and the limits above which it is saturated.

A generator process is saturated if one of these limits is exceeded:

- CPU: it used more than 90 % of one core on average over any 10 s. A generator has one thread, and at 90 % requests
  wait inside it. The CPU time of other processes, such as the target, does not count.
- Lag: 1 % of its timer wake-ups were at least 250 ms late, so it did not generate the planned load. On a machine with
  several busy processes, 5 to 50 ms are usual.

A smaller lag also makes latencies longer. For each rule, `loadgate.rules.lag` computes whether the lag can have changed
the outcome.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from loadgate.units import duration, given, given_percentage, percentage, quantity

CPU_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """The limits above which a generator process is saturated. A suite can change them in `loadgate.install`."""

    cpu_share: float = 0.9
    """The share of one core, averaged over `CPU_WINDOW_S`."""
    lag_p99_ms: float = 250.0


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """The health of one generator process over a run."""

    process: str
    cpu_mean_share: float
    """The CPU time of the process divided by the wall time; 1.0 is one core."""
    cpu_peak_share: float
    """The highest mean over any `CPU_WINDOW_S`, or over the whole run if that is shorter."""
    lag_p99_ms: float
    lag_max_ms: float
    lag_samples: int
    cpu_limit_share: float
    lag_limit_ms: float

    @property
    def problem(self) -> str | None:
        """Return why this process is saturated. `None` if it is not."""
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
                f"(limit {given(self.lag_limit_ms, 'ms')}); its machine was too busy to measure correctly"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads, including the problem."""
        return {**asdict(self), "problem": self.problem}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GeneratorHealth:
        """Return the health that `to_json` converted."""
        return cls(**{name: data[name] for name in cls.__slots__})
