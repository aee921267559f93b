"""How far the load generator's own lag may have moved a latency: what it would at least have been without it.

A generator that is held up sends late and reads late, so its lag makes latencies longer and never shorter. Let e(d) be
the share of all moments that lie in a stall of more than d: as many requests met one. At worst they are the slowest
ones and were in truth the fastest. All others lost at most d each time they had to go on, of which there are up to
k = 3: to be sent, to be connected, to be read. So

    true percentile q  >=  measured percentile (q - e(d)) - k d        for every d

and the highest of these bounds is taken. A few long stalls thus cost a small share of the requests, and a slight lag
all the time costs itself: neither hides a target that is truly slow.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence

from loadgate.recorder import LatencySketch, TimeSlot, Totals
from loadgate.rules.readings import moment
from loadgate.rules.types import MetricKind, Rule
from loadgate.rules.view import RecorderView
from loadgate.rules.windows import Window

_STEPS = 3
"""k: how often a request waits for its process."""

_HALVINGS = 12
"""The bound holds for every d; tried are the longest lag and its half, quarter and so on."""


def least_value(rule: Rule, totals: Totals, value: float, lags: Collection[LatencySketch]) -> float:
    """What the `value` that was read of these requests would at least have been without the lags.

    Each sketch of `lags` (ms) is of the same time, watched in another way; the worst counts.
    """
    known = [lag for lag in lags if lag.count]
    if not known or not rule.metric.kind.is_latency:
        return value
    if rule.metric.kind is not MetricKind.PERCENTILE:
        return max(0.0, value - _STEPS * max(moment(rule.metric.kind, lag) or 0.0 for lag in known))
    longest_ms = max(lag.max_ms or 0.0 for lag in known)
    return max(
        _bound_ms(rule.metric.quantile, totals.success, longest_ms / 2**halving, known)
        for halving in range(_HALVINGS + 1)
    )


def _bound_ms(quantile: float, latencies: LatencySketch, late_ms: float, lags: Collection[LatencySketch]) -> float:
    left = quantile - max(lag.count_above(late_ms) / lag.count for lag in lags)
    return max(0.0, (latencies.quantile(left) or 0.0) - _STEPS * late_ms) if left > 0 else 0.0


def all_lags(lags: RecorderView | None, stages: Collection[str] | None) -> list[LatencySketch]:
    """The lags of these stages, in one sketch for each way of watching."""
    return [lags.totals(name, stages).success for name in lags.names()] if lags else []


class LagSlots:
    """The lags from `since_s` on, to be asked for those of a window."""

    def __init__(self, lags: RecorderView | None, stages: Collection[str] | None, since_s: int) -> None:
        self._slots = [lags.time_slots(name, stages, since_s) for name in lags.names()] if lags else []

    def within(self, window: Window) -> list[LatencySketch]:
        """The lags of a window, as those of `all_lags`."""
        return [_sum(slots, window.start_s, window.start_s + window.length_s) for slots in self._slots]


def _sum(slots: Sequence[TimeSlot], since_s: int, until_s: int) -> LatencySketch:
    first, end = (bisect_left(slots, second, key=lambda slot: slot.start_s) for second in (since_s, until_s))
    return Totals.sum(slot.totals for slot in slots[first:end]).success
