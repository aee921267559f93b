"""Evaluate a run: give each rule an outcome (pass, fail or inconclusive) and a reason."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.analysis.windows import Window, fill_gaps, full_windows
from loadgate.recorder import OUTSIDE, OVERALL, RAMP, LatencySketch, TimeSlot, Totals
from loadgate.rules.dependence import RunBatches, effects_of
from loadgate.rules.lag import LagSlots, all_lags, lower_bound
from loadgate.rules.readings import Reading, confidence_interval, has_interval, read
from loadgate.rules.reasons import interval_note, shown, stall_note
from loadgate.rules.smoke import judge_each_request
from loadgate.rules.types import MetricKind, Rule, RuleResult, Verdict
from loadgate.rules.view import RecorderView
from loadgate.rules.whole_run import WholeRun, evaluate_whole_run_rule
from loadgate.units import clock, count, duration, given

__all__ = ["EvaluationContext", "evaluate", "evaluate_rule"]


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Facts about the run that an evaluation needs in addition to the requests.

    - `load_s`: epoch seconds of the start and the end of the load; None means those of the first and last request.
    - `saturated`: a clause that says how the load generator was saturated; None if it was not.
    - `lags`: the event-loop lag of the load generator, with one name for each kind of measurement.
    - `intervals`: compute confidence intervals, which take most of the time of an evaluation.
    - `batches`: the batches of the requests, if they are kept from one evaluation to the next.
    - `every_request_decides`: a rule with too few requests passes if every request keeps its limit (a smoke test).
    - `whole_run`: the facts for rules that are known only at the end; None during the run.
    - `confirmed_requests`: all requests except events of undeclared types, because these may not be requests. If it is
      given, an `overall` rule passes only if the confirmed requests also keep its limit.
    """

    load_s: tuple[float, float] | None = None
    saturated: str | None = None
    lags: RecorderView | None = None
    intervals: bool = True
    batches: RunBatches | None = None
    every_request_decides: bool = False
    confirmed_requests: RecorderView | None = None
    whole_run: WholeRun | None = None


def evaluate(rules: Sequence[Rule], view: RecorderView, context: EvaluationContext | None = None) -> Verdict:
    """Return the verdict on a run."""
    context = context or EvaluationContext()
    context = replace(context, batches=context.batches or RunBatches(view))
    results = tuple(_final_result(rule, rules, view, context) for rule in rules)
    outcome, reason = _overall_outcome(results, view.totals().requests)
    return Verdict(outcome, results, reason)


def _overall_outcome(results: tuple[RuleResult, ...], requests: int) -> tuple[RuleOutcome, str]:
    if not requests:
        return RuleOutcome.INCONCLUSIVE, "no request was recorded"
    if not results:
        return RuleOutcome.INCONCLUSIVE, "the run has no rules"
    for outcome, word in ((RuleOutcome.FAIL, "failed"), (RuleOutcome.INCONCLUSIVE, "inconclusive")):
        count = sum(result.outcome is outcome for result in results)
        if count:
            return outcome, f"{count} of {len(results)} {'rule' if len(results) == 1 else 'rules'} {word}"
    return RuleOutcome.PASS, f"{'the rule' if len(results) == 1 else f'all {len(results)} rules'} held"


def evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    """Return the result of one rule. Latencies are those of successful requests."""
    if rule.is_known_at_end:
        return evaluate_whole_run_rule(rule, view, context.whole_run)
    result = _evaluate_rule(rule, view, context)
    if not context.every_request_decides or context.saturated or result.outcome is not RuleOutcome.INCONCLUSIVE:
        return result
    stages = steady_stages(view) if rule.stage is None else _stages_of(rule)
    judged = view.totals(rule.scope, stages)
    return judge_each_request(result, judged if judged.success.count else view.totals(rule.scope, _stages_of(rule)))


def _evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    if not view.totals(rule.scope, _stages_of(rule)).requests:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, _nothing_recorded(rule, view))
    if not rule.metric.kind.is_latency:
        return _judge(rule, view, context, _stages_of(rule) or (loaded_stages(view) if _counts_in_time(rule) else None))
    whole = _judge(rule, view, context, _stages_of(rule))
    result = whole
    if rule.stage is None:
        if not is_steady(view):
            steady = _judge(rule, view, context, steady_stages(view))
            if steady.value is not None:
                result = replace(steady, stages="steady")
        result = replace(result, value_all_stages=whole.value)
    if context.saturated and result.value is not None:
        reason = f"the load generator was saturated ({context.saturated}), so its latencies are not reliable"
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason, undetermined=True)
    return result


def _stages_of(rule: Rule) -> set[str] | None:
    return {rule.stage} if rule.stage else None


def _with_ramp(result: RuleResult, rules: Sequence[Rule], view: RecorderView, context: EvaluationContext) -> RuleResult:
    """Check a rule that passed without the ramp against the requests of the ramp.

    The result becomes inconclusive if the rule fails with the ramp, because a short run can consist mostly of its ramp.
    A separate rule for the ramp turns this check off. If only the ramp by itself breaks the limit, the rule passes, and
    its reason states the value of the ramp.
    """
    rule = result.rule
    if result.outcome is not RuleOutcome.PASS or result.stages != "steady" or _has_own_ramp_rule(rule, rules):
        return result
    quick = replace(context, intervals=False)
    if rule.window_s is None and _judge(rule, view, quick, None).outcome is RuleOutcome.FAIL:
        reason = (
            f"{rule.metric} was {shown(rule, result.value)} without the ramp, but breaks the limit with the ramp; "
            f"add a rule for the ramp, such as '{replace(rule, stage=RAMP)}'"
        )
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason)
    ramp = _judge(rule, view, quick, {RAMP})
    if ramp.outcome is RuleOutcome.FAIL:
        value, samples = shown(rule, ramp.value), count(ramp.samples)
        return replace(result, reason=f"{result.reason}; during the ramp it was {value} ({samples} requests)")
    return result


def _has_own_ramp_rule(rule: Rule, rules: Sequence[Rule]) -> bool:
    return any(other.stage == RAMP and (other.scope, other.metric) == (rule.scope, rule.metric) for other in rules)


def _final_result(rule: Rule, rules: Sequence[Rule], view: RecorderView, context: EvaluationContext) -> RuleResult:
    """Return a rule's result. An `overall` rule that passes only with undeclared events is inconclusive."""
    result = _with_ramp(evaluate_rule(rule, view, context), rules, view, context)
    confirmed = context.confirmed_requests
    if confirmed is None or rule.scope != OVERALL or result.outcome is not RuleOutcome.PASS:
        return result
    context = replace(context, batches=RunBatches(confirmed))
    alone = _with_ramp(evaluate_rule(rule, confirmed, context), rules, confirmed, context)
    if alone.outcome is RuleOutcome.PASS:
        return result
    reason = f"{result.reason}; with the HTTP requests alone, {alone.reason}"
    return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason)


def steady_stages(view: RecorderView) -> set[str]:
    """Return all stages except the ramp and the requests outside the load."""
    return loaded_stages(view) - {RAMP}


def loaded_stages(view: RecorderView) -> set[str]:
    """Return the stages during which load was generated. Rates are computed from these."""
    return set(view.stages()) - {OUTSIDE}


def is_steady(view: RecorderView) -> bool:
    """Return whether all requests belong to the steady stages."""
    return steady_stages(view) == set(view.stages())


def _counts_in_time(rule: Rule) -> bool:
    """Return whether the rule reads requests per time. `requests` without a window is a plain count."""
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
    if _counts_in_time(rule):
        # Seconds that are only partly within the load, or after it, have too few requests to be counted.
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
    missing = ""
    for window in full_windows(slots, length_s):
        reading = read(rule, window.totals, window.length_s)
        if reading.value is None:
            unjudged, missing = unjudged + 1, reading.missing
            continue
        judged += 1
        if worst is None or _is_worse(rule, reading.value, worst[0].value or 0.0):
            worst = reading, window
        is_worse = proven is None or _is_worse(rule, reading.value, proven[0].value or 0.0)
        if is_worse and _is_proven(rule, reading.value, window, lags):
            proven = reading, window
    text = duration(length_s)
    if worst is None:
        reason = f"no window of {text} could be judged: {missing}" if unjudged else f"there is no full window of {text}"
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reason)
    # The generator's lag may explain the worst window. A window that fails in spite of the lag takes precedence.
    reading, window = proven or worst
    skipped = f" ({count(unjudged)} more had too few requests)" if unjudged else ""
    began = clock(window.start_s - run_start_s)
    where = f" in the worst of {count(judged)} windows of {text}{skipped}, {began} into the run"
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
    required = f"{rule.operator.value} {given(rule.limit, rule.unit)}"
    relation = f"limit {required}" if holds else f"not {required}"
    reason = f"{rule.metric} {verb} {shown(rule, value)}{where}, {relation}{interval_note(rule, interval)}"
    reason += stall_note(reading.samples, interval)
    outcome = RuleOutcome.PASS if holds else RuleOutcome.FAIL
    return RuleResult(rule, outcome, reason, value, reading.samples, interval)


def _nothing_recorded(rule: Rule, view: RecorderView) -> str:
    scope = rule.scope
    if rule.stage and view.totals(scope).requests:
        stages = ", ".join(view.stages())
        return f"no request of {scope!r} was recorded in the stage {rule.stage!r}; stages with requests: {stages}"
    groups, names = ", ".join(view.groups()), view.names()
    if not names:
        return "no request was recorded"
    known = f"recorded groups: {groups}; " if groups else ""
    some = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f"no request of {scope!r} was recorded; {known}recorded names: {some}"
