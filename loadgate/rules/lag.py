"""A lower bound of a latency: the lowest value that it can have without the load generator's own lag.

A generator that stalls sends late and reads late, so its lag can only make measured latencies longer. Let e(d) be the
share of the run that lies in stalls longer than d. The same share of the requests is affected by such a stall. In
the worst case, these are the slowest measured requests, although without the stall they would be the fastest. Every
other request is delayed by at most d in each of its k = 3 steps: connect, send, read. Therefore

    true percentile q  >=  measured percentile (q - e(d)) - k d        for every d

and the highest of these bounds is used. A few long stalls affect only a small share of the requests. A constant small
lag is subtracted. In both cases, the latency of a slow target remains above its limit.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence

from loadgate.analysis.windows import Window
from loadgate.recorder import LatencySketch, TimeSlot, Totals
from loadgate.rules.readings import mean_or_extreme
from loadgate.rules.types import MetricKind, Rule
from loadgate.rules.view import RecorderView

_STEPS = 3
"""k: the number of steps in which a request waits for the event loop."""

_HALVINGS = 12
"""The bound holds for every d. The computation uses the longest lag, its half, its quarter and so on."""


def lower_bound(rule: Rule, totals: Totals, value: float, lags: Collection[LatencySketch]) -> float:
    """Return the lowest value that `value`, which was read from `totals`, can have without the lags.

    Each sketch of `lags` (ms) covers the same time and measures it in a different way. The largest lag counts.
    """
    known = [lag for lag in lags if lag.count]
    if not known or not rule.metric.kind.is_latency:
        return value
    if rule.metric.kind is not MetricKind.PERCENTILE:
        return max(0.0, value - _STEPS * max(mean_or_extreme(rule.metric.kind, lag) or 0.0 for lag in known))
    longest_ms = max(lag.max_ms or 0.0 for lag in known)
    return max(
        _bound_ms(rule.metric.quantile, totals.success, longest_ms / 2**halving, known)
        for halving in range(_HALVINGS + 1)
    )


def _bound_ms(quantile: float, latencies: LatencySketch, late_ms: float, lags: Collection[LatencySketch]) -> float:
    left = quantile - max(lag.count_above(late_ms) / lag.count for lag in lags)
    return max(0.0, (latencies.quantile(left) or 0.0) - _STEPS * late_ms) if left > 0 else 0.0


def all_lags(lags: RecorderView | None, stages: Collection[str] | None) -> list[LatencySketch]:
    """Return the lags of these stages, one sketch for each kind of measurement."""
    return [lags.totals(name, stages).success for name in lags.names()] if lags else []


class LagSlots:
    """The lags from `since_s` on, per second."""

    def __init__(self, lags: RecorderView | None, stages: Collection[str] | None, since_s: int) -> None:
        self._slots = [lags.time_slots(name, stages, since_s) for name in lags.names()] if lags else []

    def within(self, window: Window) -> list[LatencySketch]:
        """Return the lags of a window, one sketch for each kind of measurement."""
        return [_sum(slots, window.start_s, window.start_s + window.length_s) for slots in self._slots]


def _sum(slots: Sequence[TimeSlot], since_s: int, until_s: int) -> LatencySketch:
    first, end = (bisect_left(slots, second, key=lambda slot: slot.start_s) for second in (since_s, until_s))
    return Totals.sum(slot.totals for slot in slots[first:end]).success
