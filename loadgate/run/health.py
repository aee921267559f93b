"""The CPU use and the event-loop lag of the load generator, and the limits above which it is saturated.

A generator process is saturated if one of these limits is exceeded:

- CPU: it used more than 90 % of one core on average over any 10 s. A generator has one thread, and at 90 % requests
  wait inside it. The CPU time of other processes, such as the target, does not count.
- Throttling: in more than 10 % of the periods of its container's CPU limit over any 10 s, the limit stopped it. Such a
  stop lasts up to 100 ms, and the process does not use its CPU limit of a core in that time.
- Lag: 1 % of its timer wake-ups were at least 250 ms late, so it did not generate the planned load. On a machine with
  several busy processes, 5 to 50 ms are usual. If the hypervisor gave at least 5 % of the machine's CPU time over any
  10 s to other virtual machines (steal), it is named as the cause. Steal alone is no saturation, because it may have
  delayed only other processes; what delays the generator is part of its lag.

A smaller lag also makes latencies longer. For each rule, `loadgate.rules.lag` computes whether the lag can have changed
the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgate.run.document.environment import GeneratorRecord
from loadgate.units import duration, given, given_percentage, percentage, quantity

CPU_WINDOW_S = 10.0
NAMED_STEAL = 0.05
"""The share of stolen CPU time that explains a lag."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """The limits above which a generator process is saturated. A suite can change them in `loadgate.install`."""

    cpu_share: float = 0.9
    """The share of one core, averaged over `CPU_WINDOW_S`."""
    lag_p99_ms: float = 250.0
    throttled_share: float = 0.1
    """The share of the periods of a CPU limit (cgroup version 2), over `CPU_WINDOW_S`."""


def saturation(health: GeneratorRecord) -> str | None:
    """Return why a generator process is saturated. `None` if it is not."""
    # Throttling is a cause of lag, so it is named before it.
    if _exceeds(health.throttled_peak_share, health.throttled_limit_share):
        share = percentage(health.throttled_peak_share, health.throttled_limit_share)
        return (
            f"generator {health.process} was throttled by the CPU limit of its container in {share} of the limit's "
            f"periods over {duration(CPU_WINDOW_S)} (limit {given_percentage(health.throttled_limit_share)}); raise it"
        )
    if health.cpu_peak_share > health.cpu_limit_share:
        used = percentage(health.cpu_peak_share, health.cpu_limit_share)
        return (
            f"generator {health.process} used {used} of one core over {duration(CPU_WINDOW_S)} "
            f"(limit {given_percentage(health.cpu_limit_share)}); use --processes or another machine"
        )
    if health.lag_p99_ms > health.lag_limit_ms:
        late = quantity(health.lag_p99_ms, "ms", health.lag_limit_ms)
        return (
            f"generator {health.process} had an event-loop lag of at least {late} in 1 % of the samples "
            f"(limit {given(health.lag_limit_ms, 'ms')}); {_cause_of_lag(health)}"
        )
    return None


def _cause_of_lag(health: GeneratorRecord) -> str:
    if health.steal_peak_share is not None and health.steal_peak_share >= NAMED_STEAL:
        share = percentage(health.steal_peak_share)
        return f"its machine lost {share} of its CPU time to other virtual machines over {duration(CPU_WINDOW_S)}"
    return "its machine had too little free CPU time to measure correctly"


def _exceeds(share: float | None, limit: float | None) -> bool:
    return share is not None and limit is not None and share > limit
