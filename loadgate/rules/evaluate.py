"""Judging a run: each rule becomes pass, fail or inconclusive with a sentence that says why."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from loadgate.recorder import OUTSIDE, OVERALL, RAMP, LatencySketch, TimeSlot, Totals
from loadgate.rules.lag import LagSlots, all_lags, least_value
from loadgate.rules.readings import Reading, confidence_interval, read
from loadgate.rules.smoke import by_each_request
from loadgate.rules.types import Interval, MetricKind, Rule, RuleOutcome, RuleResult, Verdict
from loadgate.rules.view import RecorderView
from loadgate.rules.windows import Window, fill_gaps, full_windows
from loadgate.units import clock, count, duration, given, given_percentage, quantity

__all__ = ["EvaluationContext", "evaluate", "evaluate_rule"]


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What is known of the run beside its requests.

    `load_s` are the epoch seconds from the start of the load to its end (None: those of the first and last request).
    `saturated` says in a clause how the load generator itself was overloaded, None when it was not; `lags` holds how
    late it was at what it had to do, under a name for each way of watching it. With `prefer_steady`, latency rules
    leave out the ramp where enough requests are left. Without `intervals`, results have no confidence interval, which
    takes most of the time of a judgement. With `every_request_decides`, as in a smoke test, a limit that has too few
    requests holds if each of them keeps it. `notes` go into the verdict. `certain` holds those of the recorded requests
    that certainly are requests, where others may be figures of the suite's own: `overall` must hold for them as well.
    """

    load_s: tuple[float, float] | None = None
    saturated: str | None = None
    lags: RecorderView | None = None
    prefer_steady: bool = True
    intervals: bool = True
    every_request_decides: bool = False
    notes: tuple[str, ...] = ()
    certain: RecorderView | None = None


def evaluate(rules: Sequence[Rule], view: RecorderView, context: EvaluationContext | None = None) -> Verdict:
    """The verdict on a run."""
    context = context or EvaluationContext()
    results = tuple(_judged(rule, rules, view, context) for rule in rules)
    outcome, reason = _overall_outcome(results, view.totals().requests)
    return Verdict(outcome, results, reason, context.notes)


def _overall_outcome(results: tuple[RuleResult, ...], requests: int) -> tuple[RuleOutcome, str]:
    if not requests:
        return RuleOutcome.INCONCLUSIVE, "no request was recorded"
    if not results:
        return RuleOutcome.INCONCLUSIVE, "there is no rule to judge the run by"
    for outcome, word in ((RuleOutcome.FAIL, "failed"), (RuleOutcome.INCONCLUSIVE, "inconclusive")):
        count = sum(result.outcome is outcome for result in results)
        if count:
            return outcome, f"{count} of {len(results)} {'rule' if len(results) == 1 else 'rules'} {word}"
    return RuleOutcome.PASS, f"{'the rule' if len(results) == 1 else f'all {len(results)} rules'} held"


def evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    """The result of one rule. Latencies are read from successful requests only."""
    result = _evaluate_rule(rule, view, context)
    if not context.every_request_decides or context.saturated or result.outcome is not RuleOutcome.INCONCLUSIVE:
        return result
    stages = steady_stages(view) if context.prefer_steady and rule.stage is None else _stages_of(rule)
    judged = view.totals(rule.scope, stages)
    return by_each_request(result, judged if judged.success.count else view.totals(rule.scope, _stages_of(rule)))


def _evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    if not view.totals(rule.scope, _stages_of(rule)).requests:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, _nothing_recorded(rule, view))
    if not rule.metric.kind.is_latency:
        return _judge(rule, view, context, _stages_of(rule) or (loaded_stages(view) if _counts_in_time(rule) else None))
    whole = _judge(rule, view, context, _stages_of(rule))
    result = whole
    if rule.stage is None:
        if context.prefer_steady and not is_steady(view):
            steady = _judge(rule, view, context, steady_stages(view))
            if steady.value is not None:
                result = replace(steady, stages="steady")
        result = replace(result, value_all_stages=whole.value)
    if context.saturated and result.value is not None:
        reason = f"the load generator was overloaded ({context.saturated}), so its latencies cannot be trusted"
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason, doubted=True)
    return result


def _stages_of(rule: Rule) -> set[str] | None:
    return {rule.stage} if rule.stage else None


def _with_ramp(result: RuleResult, rules: Sequence[Rule], view: RecorderView, context: EvaluationContext) -> RuleResult:
    """The result of a rule that held without the ramp, with what the ramp says of it.

    A limit that is broken once the ramp counts has not been shown to hold, unless the rules ask for something else of
    the ramp: a rush may be all ramp. Where only the ramp by itself breaks it, the reason says so.
    """
    rule = result.rule
    if result.outcome is not RuleOutcome.PASS or result.stages != "steady" or _has_own_ramp_rule(rule, rules):
        return result
    quick = replace(context, intervals=False)
    if rule.window_s is None and _judge(rule, view, quick, None).outcome is RuleOutcome.FAIL:
        reason = (
            f"{rule.metric} was {_shown(rule, result.value)}, but the limit does not hold with the "
            f"ramp; judge the ramp by a rule of its own, such as '{replace(rule, stage=RAMP)}'"
        )
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason)
    ramp = _judge(rule, view, quick, {RAMP})
    if ramp.outcome is RuleOutcome.FAIL:
        value, samples = _shown(rule, ramp.value), count(ramp.samples)
        return replace(result, reason=f"{result.reason}; in the ramp alone it was {value} ({samples} requests)")
    return result


def _has_own_ramp_rule(rule: Rule, rules: Sequence[Rule]) -> bool:
    return any(other.stage == RAMP and (other.scope, other.metric) == (rule.scope, rule.metric) for other in rules)


def _judged(rule: Rule, rules: Sequence[Rule], view: RecorderView, context: EvaluationContext) -> RuleResult:
    """The result of one of the rules; inconclusive where `overall` holds only because of what may be no requests."""
    result = _with_ramp(evaluate_rule(rule, view, context), rules, view, context)
    if context.certain is None or rule.scope != OVERALL or result.outcome is not RuleOutcome.PASS:
        return result
    alone = _with_ramp(evaluate_rule(rule, context.certain, context), rules, context.certain, context)
    if alone.outcome is RuleOutcome.PASS:
        return result
    reason = f"{result.reason}; but of the HTTP requests alone, {alone.reason}"
    return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason)


def steady_stages(view: RecorderView) -> set[str]:
    """All stages but the ramp, and what was sent outside the load."""
    return loaded_stages(view) - {RAMP}


def loaded_stages(view: RecorderView) -> set[str]:
    """The stages whose requests were sent while load was made: what a rate is taken of."""
    return set(view.stages()) - {OUTSIDE}


def is_steady(view: RecorderView) -> bool:
    """Whether all requests are of the steady stages."""
    return steady_stages(view) == set(view.stages())


def _counts_in_time(rule: Rule) -> bool:
    """Whether the rule asks how many requests a time had; of the whole run `requests` are simply all."""
    return rule.metric.kind is MetricKind.THROUGHPUT or (
        rule.metric.kind is MetricKind.REQUESTS and rule.window_s is not None
    )


def _judge(rule: Rule, view: RecorderView, context: EvaluationContext, stages: Collection[str] | None) -> RuleResult:
    if rule.window_s is not None:
        slots, run_start_s = _judged_slots(rule, view, context, stages), (view.span_s() or (0, 0))[0]
        lags = LagSlots(context.lags, stages, slots[0].start_s if slots else run_start_s)
        return _judge_windows(rule, slots, run_start_s, context, lags)
    totals = view.totals(rule.scope, stages)
    load_s = _load_s(view, context)
    reading = read(rule, totals, load_s[1] - load_s[0])
    if reading.value is None:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reading.lack, samples=reading.samples)
    result = _compare(rule, reading, _interval(rule, totals, context))
    return _doubted(result, totals, all_lags(context.lags, stages))


def _interval(rule: Rule, totals: Totals, context: EvaluationContext) -> Interval | None:
    return confidence_interval(rule, totals) if context.intervals else None


def _load_s(view: RecorderView, context: EvaluationContext) -> tuple[float, float]:
    return context.load_s or view.span_s() or (0.0, 0.0)


def _judged_slots(
    rule: Rule, view: RecorderView, context: EvaluationContext, stages: Collection[str] | None
) -> list[TimeSlot]:
    """The slots that a rule with a window looks at, without gaps, from the scope's first to the run's last second."""
    slots, span_s = view.time_slots(rule.scope, stages), view.span_s()
    if not slots or span_s is None:
        return []
    first_s, end_s = slots[0].start_s, span_s[1]
    if _counts_in_time(rule):
        # Seconds in which load was not made from end to end, or only the last answers were waited for, would read as
        # few requests.
        began_s, ended_s = context.load_s or (first_s, end_s - 1)
        first_s = max(first_s + slots[0].width_s, math.ceil(began_s))
        end_s = min(end_s, math.floor(ended_s))
    return fill_gaps(slots, first_s, end_s)


def _judge_windows(
    rule: Rule, slots: Sequence[TimeSlot], run_start_s: int, context: EvaluationContext, lags: LagSlots
) -> RuleResult:
    length_s = rule.window_s or 0
    worst: tuple[Reading, Window] | None = None
    proven: tuple[Reading, Window] | None = None
    judged = unjudged = 0
    lack = ""
    for window in full_windows(slots, length_s):
        reading = read(rule, window.totals, window.length_s)
        if reading.value is None:
            unjudged, lack = unjudged + 1, reading.lack
            continue
        judged += 1
        if worst is None or _is_worse(rule, reading.value, worst[0].value or 0.0):
            worst = reading, window
        is_worse = proven is None or _is_worse(rule, reading.value, proven[0].value or 0.0)
        if is_worse and _is_proven(rule, reading.value, window, lags):
            proven = reading, window
    text = duration(length_s)
    if worst is None:
        reason = f"no window of {text} could be judged: {lack}" if unjudged else f"there is no full window of {text}"
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reason)
    # The worst one may be the generator's doing, and another one not.
    reading, window = proven or worst
    skipped = f" ({count(unjudged)} more had too few requests)" if unjudged else ""
    began = clock(window.start_s - run_start_s)
    where = f" in the worst of {count(judged)} windows of {text}{skipped}, {began} into the run"
    result = _compare(rule, reading, _interval(rule, window.totals, context), where)
    result = _doubted(result, window.totals, lags.within(window))
    return replace(result, window_start_s=window.start_s)


def _is_proven(rule: Rule, value: float, window: Window, lags: LagSlots) -> bool:
    """Whether a window breaks the rule, and would have done so without the load generator's lag."""
    if rule.operator.holds(value, rule.limit):
        return False
    return not rule.operator.holds(least_value(rule, window.totals, value, lags.within(window)), rule.limit)


def _doubted(result: RuleResult, totals: Totals, lags: Collection[LatencySketch]) -> RuleResult:
    """The result, inconclusive where it might be another without the load generator's lag."""
    rule, value = result.rule, result.value or 0.0
    if rule.operator.bounds_from_above == rule.operator.holds(value, rule.limit):
        return result  # a lower value would change nothing
    least = least_value(rule, totals, value, lags)
    if rule.operator.holds(least, rule.limit) == rule.operator.holds(value, rule.limit):
        return result
    reason = (
        f"{result.reason}; but the load generator was late itself, and without that it may have been as low as "
        f"{_shown(rule, least)}"
    )
    return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason, doubted=True)


def _is_worse(rule: Rule, value: float, than: float) -> bool:
    return value > than if rule.operator.bounds_from_above else value < than


def _compare(rule: Rule, reading: Reading, interval: Interval | None, where: str = "") -> RuleResult:
    value = reading.value or 0.0
    holds = rule.operator.holds(value, rule.limit)
    verb = "were" if rule.metric.kind in {MetricKind.FAILURES, MetricKind.REQUESTS} else "was"
    required = f"{rule.operator.value} {given(rule.limit, rule.unit)}"
    relation = f"limit {required}" if holds else f"not {required}"
    reason = f"{rule.metric} {verb} {_shown(rule, value)}{where}, {relation}{_doubt(rule, interval)}"
    outcome = RuleOutcome.PASS if holds else RuleOutcome.FAIL
    return RuleResult(rule, outcome, reason, value, reading.samples, interval)


def _doubt(rule: Rule, interval: Interval | None) -> str:
    if interval is None or not interval.contains(rule.limit):
        return ""
    low, high = ("?" if end is None else _shown(rule, end) for end in (interval.low, interval.high))
    confidence = given_percentage(interval.confidence)
    if interval.high is None or interval.low is None:
        return f"; too few requests for a {confidence} confidence interval ({low} to {high})"
    return f"; the {confidence} confidence interval ({low} to {high}) includes the limit, so another run may differ"


def _shown(rule: Rule, value: float | None) -> str:
    return quantity(value, rule.unit, rule.limit)


def _nothing_recorded(rule: Rule, view: RecorderView) -> str:
    scope = rule.scope
    if rule.stage and view.totals(scope).requests:
        stages = ", ".join(view.stages())
        return f"no request of {scope!r} was recorded in the stage {rule.stage!r}; stages with requests: {stages}"
    groups, names = ", ".join(view.groups()), view.names()
    if not names:
        return "no request was recorded"
    known = f"groups {groups}; " if groups else ""
    some = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"no request of {scope!r} was recorded; recorded were {known}names {some}"
