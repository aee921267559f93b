"""The ratio of a percentile in two stages, with a confidence interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgate.analysis.confidence import CONFIDENCE, min_samples, quantile_interval
from loadgate.analysis.decision import Decision, RuleOutcome, conclude
from loadgate.analysis.design_effect import latency_effects
from loadgate.analysis.interval import Interval
from loadgate.recorder import TimeSlot, Totals
from loadgate.units import count, figure, milliseconds


@dataclass(frozen=True, slots=True)
class StageRatio:
    """A percentile of the successful requests of one stage, divided by that of another, the base."""

    value: float
    interval: Interval
    value_ms: float
    base_ms: float
    samples: int
    base_samples: int

    @property
    def times(self) -> str:
        """Return the ratio and its interval as words, as in `1.70 times (1.60 to 1.80)`."""
        low, high = ("?" if bound is None else figure(bound) for bound in (self.interval.low, self.interval.high))
        return f"{figure(self.value)} times ({low} to {high})"


def stage_ratio(
    slots: Sequence[TimeSlot], base: Sequence[TimeSlot], quantile: float, confidence: float = CONFIDENCE
) -> StageRatio | str:
    """Return the ratio of a percentile in two stages, or a clause that says why there is none.

    The interval combines those of the two percentiles on the logarithmic scale (Donner and Zou, "Closed-form confidence
    intervals for functions of the normal mean and standard deviation", Stat. Methods Med. Res. 21, 2012: MOVER). These
    take into account that requests in the same stall are not independent.
    """
    sketches = [Totals.sum(slot.totals for slot in part).success for part in (slots, base)]
    needed = min_samples(quantile)
    for sketch, where in zip(sketches, ("", " in the other stage"), strict=True):
        if sketch.count < needed:
            return f"{count(sketch.count)} successful requests{where} are too few; at least {count(needed)} are needed"
    value_ms, base_ms = (sketch.quantile(quantile) or 0.0 for sketch in sketches)
    if not base_ms:
        return "the value of the other stage is 0"
    bounds = [
        quantile_interval(sketch, quantile, confidence, latency_effects(part))
        for sketch, part in zip(sketches, (slots, base), strict=True)
    ]
    return StageRatio(
        value=value_ms / base_ms,
        interval=_combined(value_ms, base_ms, bounds[0], bounds[1], confidence),
        value_ms=value_ms,
        base_ms=base_ms,
        samples=sketches[0].count,
        base_samples=sketches[1].count,
    )


def _combined(
    value_ms: float, base_ms: float, value: Interval | None, base: Interval | None, confidence: float
) -> Interval:
    ratio = math.log(value_ms / base_ms) if value_ms else -math.inf
    value, base = value or Interval(None, None, confidence), base or Interval(None, None, confidence)
    down = math.hypot(_distance(value.low, value_ms), _distance(base.high, base_ms))
    up = math.hypot(_distance(value.high, value_ms), _distance(base.low, base_ms))
    return Interval(
        low=math.exp(ratio - down) if math.isfinite(down) else None,
        high=math.exp(ratio + up) if math.isfinite(up) else None,
        confidence=confidence,
    )


def _distance(bound: float | None, value: float) -> float:
    return abs(math.log(bound / value)) if bound and value else math.inf


def decide_ratio(
    ratio: StageRatio | str, name: str, stages: tuple[str, str], factor: float, holds: Callable[[float], bool]
) -> Decision:
    """Decide a rule such as `p95 after < 1.1x before`. `name` is that of the metric; the second stage is the base.

    The rule fails only if the whole interval breaks the limit, and holds only if the whole interval keeps it. A value
    that is above the limit by chance is therefore no failure, and a run with too few requests to tell is no pass.
    """
    if isinstance(ratio, str):
        return Decision(RuleOutcome.INCONCLUSIVE, ratio)
    outcome = conclude(ratio.interval, holds)
    value, base = (
        f"{milliseconds(value)} in {stage}"
        for value, stage in zip((ratio.value_ms, ratio.base_ms), stages, strict=True)
    )
    reason = f"{name} was {value}, {ratio.times} the {base}"
    if outcome is RuleOutcome.INCONCLUSIVE:
        more = _needed_times(ratio, factor)
        reason += f"; {more}" if more else ""
    return Decision(outcome, reason, ratio.value, ratio.interval, ratio.samples)


def _needed_times(ratio: StageRatio, factor: float) -> str:
    """Return a clause that says how long the stages must be so that the interval excludes the factor."""
    distance = abs(math.log(ratio.value / factor)) if ratio.value and factor else 0.0
    bound = ratio.interval.high if ratio.value < factor else ratio.interval.low
    if not distance or not bound:
        return "the stages have too few requests for an interval"
    times = math.ceil((math.log(bound / ratio.value) / distance) ** 2)
    return f"stages {count(times)} times as long would decide this" if times <= 100 else "this is too close to decide"
