"""Judge a rule by the requests of given stages: by all of them together, or by those of each window."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.analysis.windows import Window, fill_gaps, full_windows
from loadgate.recorder import LatencySketch, TimeSlot, Totals
from loadgate.rules.context import EvaluationContext
from loadgate.rules.dependence import RunBatches, effects_of
from loadgate.rules.lag import LagSlots, all_lags, lower_bound
from loadgate.rules.readings import Reading, confidence_interval, has_interval, read
from loadgate.rules.reasons import interval_note, missed_limit, shown, stall_note
from loadgate.rules.types import MetricKind, Rule, RuleResult
from loadgate.rules.view import RecorderView
from loadgate.units import clock, count, duration, given


def judge(rule: Rule, view: RecorderView, context: EvaluationContext, stages: Collection[str] | None) -> RuleResult:
    """Return the result of a rule by the requests of these stages, or of all."""
    if rule.window_s is not None:
        slots, run_start_s = _judged_slots(rule, view, context, stages), (view.span_s() or (0, 0))[0]
        lags = LagSlots(context.lags, stages, slots[0].start_s if slots else run_start_s)
        return _judge_windows(rule, slots, run_start_s, context, lags)
    totals = view.totals(rule.scope, stages)
    load_s = _load_s(view, context)
    reading = read(rule, totals, load_s[1] - load_s[0])
    if reading.value is None:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reading.missing, samples=reading.samples)
    interval = None
    if context.intervals and has_interval(rule):
        effects = (context.batches or RunBatches(view)).effects(rule, stages)
        interval = confidence_interval(rule, totals, effects)
    result = _compare(rule, reading, interval)
    return _allow_for_lag(result, totals, all_lags(context.lags, stages))


def _load_s(view: RecorderView, context: EvaluationContext) -> tuple[float, float]:
    return context.load_s or view.span_s() or (0.0, 0.0)


def _judged_slots(
    rule: Rule, view: RecorderView, context: EvaluationContext, stages: Collection[str] | None
) -> list[TimeSlot]:
    """Return the slots of a rule with a window, without gaps, from the scope's first slot to the end of the run."""
    slots, span_s = view.time_slots(rule.scope, stages), view.span_s()
    if not slots or span_s is None:
        return []
    first_s, end_s = slots[0].start_s, span_s[1]
    if rule.counts_in_time:
        # Seconds that are only partly within the load, or after it, have too few requests to be counted.
        began_s, ended_s = context.load_s or (first_s, end_s - 1)
        first_s = max(first_s + slots[0].width_s, math.ceil(began_s))
        end_s = min(end_s, math.floor(ended_s))
    return fill_gaps(slots, first_s, end_s)


@dataclass(slots=True)
class _Windows:
    """The windows of a rule, each with its reading: the worst one, and the worst one that lag cannot explain."""

    worst: tuple[Reading, Window] | None = None
    proven: tuple[Reading, Window] | None = None
    judged: int = 0
    unjudged: int = 0
    missing: str = ""


def _read_windows(rule: Rule, slots: Sequence[TimeSlot], lags: LagSlots) -> _Windows:
    found = _Windows()
    for window in full_windows(slots, rule.window_s or 0):
        reading = read(rule, window.totals, window.length_s)
        if reading.value is None:
            found.unjudged, found.missing = found.unjudged + 1, reading.missing
            continue
        found.judged += 1
        if found.worst is None or _is_worse(rule, reading.value, found.worst[0].value or 0.0):
            found.worst = reading, window
        is_worse = found.proven is None or _is_worse(rule, reading.value, found.proven[0].value or 0.0)
        if is_worse and _is_proven(rule, reading.value, window, lags):
            found.proven = reading, window
    return found


def _judge_windows(
    rule: Rule, slots: Sequence[TimeSlot], run_start_s: int, context: EvaluationContext, lags: LagSlots
) -> RuleResult:
    length_s = rule.window_s or 0
    found, text = _read_windows(rule, slots, lags), duration(length_s)
    if found.worst is None:
        reason = f"there is no full window of {text}"
        if found.unjudged:
            reason = f"no window of {text} could be judged: {found.missing}"
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reason)
    # The generator's lag may explain the worst window. A window that fails in spite of the lag takes precedence.
    reading, window = found.proven or found.worst
    skipped = f" ({count(found.unjudged)} more had too few requests)" if found.unjudged else ""
    began = clock(window.start_s - run_start_s)
    where = f" in the worst of {count(found.judged)} windows of {text}{skipped}, {began} into the run"
    interval = None
    if context.intervals and has_interval(rule):
        inside = [slot for slot in slots if 0 <= slot.start_s - window.start_s < window.length_s]
        interval = confidence_interval(rule, window.totals, effects_of(rule, inside))
    result = _compare(rule, reading, interval, where)
    result = _allow_for_lag(result, window.totals, lags.within(window))
    return replace(result, window_start_s=window.start_s)


def _is_proven(rule: Rule, value: float, window: Window, lags: LagSlots) -> bool:
    """Return whether a window breaks the rule even after the load generator's lag is subtracted."""
    if rule.operator.holds(value, rule.limit):
        return False
    return not rule.operator.holds(lower_bound(rule, window.totals, value, lags.within(window)), rule.limit)


def _allow_for_lag(result: RuleResult, totals: Totals, lags: Collection[LatencySketch]) -> RuleResult:
    """Make a result inconclusive if the load generator's lag could have changed its outcome."""
    rule, value = result.rule, result.value or 0.0
    if rule.operator.bounds_from_above == rule.operator.holds(value, rule.limit):
        return result  # a lower value would give the same outcome
    bound = lower_bound(rule, totals, value, lags)
    if rule.operator.holds(bound, rule.limit) == rule.operator.holds(value, rule.limit):
        return result
    reason = (
        f"{result.reason}; this includes the load generator's own lag; without the lag, the value can be as low as "
        f"{shown(rule, bound)}"
    )
    return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason, undetermined=True)


def _is_worse(rule: Rule, value: float, than: float) -> bool:
    return value > than if rule.operator.bounds_from_above else value < than


def _compare(rule: Rule, reading: Reading, interval: Interval | None, where: str = "") -> RuleResult:
    value = reading.value or 0.0
    holds = rule.operator.holds(value, rule.limit)
    verb = "were" if rule.metric.kind in {MetricKind.FAILURES, MetricKind.REQUESTS} else "was"
    limit = f"limit {rule.operator.value} {given(rule.limit, rule.unit)}"
    relation = limit if holds else missed_limit(rule, value)
    reason = f"{rule.metric} {verb} {shown(rule, value)}{where}, {relation}{interval_note(rule, interval)}"
    reason += stall_note(reading.samples, interval)
    outcome = RuleOutcome.PASS if holds else RuleOutcome.FAIL
    return RuleResult(rule, outcome, reason, value, reading.samples, interval)
