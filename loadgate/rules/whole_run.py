"""Evaluate the rules that are known only at the end of a run: growth of resources, recovery, comparison of stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from loadgate.analysis.decision import Decision, RuleOutcome
from loadgate.analysis.growth.growth import Growth, growth_between
from loadgate.analysis.growth.judgement import judge_growth, judge_lifetime
from loadgate.analysis.growth.kind import growth_kind
from loadgate.analysis.growth.lifetime import lifetime
from loadgate.analysis.growth.text import growth_sentence, kind_clause
from loadgate.analysis.interval import Interval
from loadgate.analysis.quantity_text import subject
from loadgate.analysis.recovery.recovery import Recovery, decide_recovery, recovery
from loadgate.analysis.recovery.stage_ratio import decide_ratio, stage_ratio
from loadgate.analysis.traffic import Traffic
from loadgate.recorder import OUTSIDE, RAMP
from loadgate.recorder.resources import ResourceRecord, ResourceSeries, ResourceUnit
from loadgate.rules.types import MetricKind, Rule, RuleResult, Unit
from loadgate.rules.view import RecorderView
from loadgate.units import count

MEMORY = "memory"
HOUR_S, DAY_S, MB = 3600.0, 86_400.0, 1e6


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The facts of a finished run that these rules need in addition to its requests.

    - `stages`: (start in epoch seconds, stage), ascending.
    - `load_s`: epoch seconds of the start and the end of the load.
    - `unreliable`: a clause that says why latencies cannot be used; "" if they can.
    """

    resources: ResourceRecord
    stages: Sequence[tuple[float, str]]
    load_s: tuple[float, float]
    unreliable: str = ""

    @property
    def steady_s(self) -> tuple[float, float]:
        """Return the epoch seconds of the start and the end of the load without the first ramp."""
        first_s, end_s = self.load_s
        steady = (since_s for since_s, stage in self.stages if stage not in {RAMP, OUTSIDE} and since_s < end_s)
        return max(first_s, next(steady, first_s)), end_s


def evaluate_whole_run_rule(rule: Rule, view: RecorderView, run: WholeRun | None) -> RuleResult:
    """Return the result of a rule that is known at the end. Without a finished run it is inconclusive."""
    if run is None:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, "this is known only at the end of the run")
    if rule.metric.kind.reads_resource:
        return _resource_result(rule, view, run)
    if rule.metric.kind is MetricKind.RECOVERY:
        return _decided(rule, decide_recovery(recovery_after(rule, view, run), _holds(rule)))
    return _decided(rule, _compared(rule, view, run))


def recovery_after(rule: Rule, view: RecorderView, run: WholeRun) -> Recovery:
    """Return the recovery that a rule is about."""
    traffic = Traffic(rule.scope, view.time_slots(rule.scope), in_flight=view.in_flight(rule.scope))
    return recovery(traffic, run.stages, rule.stage or "", run.load_s[1], unreliable=run.unreliable)


def _compared(rule: Rule, view: RecorderView, run: WholeRun) -> Decision:
    if run.unreliable:
        return Decision(RuleOutcome.INCONCLUSIVE, run.unreliable)
    stages = (rule.stage or "", rule.compared_with or "")
    slots, base = (view.time_slots(rule.scope, [stage]) for stage in stages)
    ratio = stage_ratio(slots, base, rule.metric.quantile)
    return decide_ratio(ratio, str(rule.metric), stages, rule.limit, _holds(rule))


def _holds(rule: Rule) -> Callable[[float], bool]:
    return lambda value: rule.operator.holds(value, rule.limit)


def _decided(rule: Rule, decision: Decision) -> RuleResult:
    return RuleResult(rule, decision.outcome, decision.reason, decision.value, decision.samples, decision.interval)


def _resource_result(rule: Rule, view: RecorderView, run: WholeRun) -> RuleResult:
    series = run.resources.series(rule.scope, rule.metric.quantity)
    if series is None:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, _not_measured(rule, run.resources))
    in_bytes = series.column.unit is ResourceUnit.BYTES
    if in_bytes != (rule.in_mb or rule.unit is Unit.MB_PER_HOUR):
        wanted = "in bytes, so its limit needs a size such as 5MB"
        wanted = wanted if in_bytes else "not in bytes, so its limit takes no size such as 5MB"
        reason = f"{rule.metric.quantity!r} of {rule.scope!r} is {wanted}"
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reason)
    found = growth_between(series, run.steady_s)
    if found is None:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, _too_short(series.between(*run.steady_s)))
    words = subject(series.column)
    if rule.capacity is not None:
        return _lifetime_result(rule, words, found)
    return _growth_result(rule, words, found, view, run)


def _growth_result(rule: Rule, words: str, found: Growth, view: RecorderView, run: WholeRun) -> RuleResult:
    scale = HOUR_S / (MB if rule.unit is Unit.MB_PER_HOUR else 1.0)
    judged = judge_growth(found, rule.limit / scale)
    requests = requests_in(view, run.steady_s)
    sentences = [growth_sentence(words, found, requests=requests).removesuffix(".")]
    if judged.outcome is not RuleOutcome.PASS:
        sentences.append(judged.reason)
    if judged.outcome is not RuleOutcome.PASS and rule.metric.quantity == MEMORY:
        kind = growth_kind(found, companions(run.resources, rule.scope, run.steady_s))
        sentences += [kind_clause(kind)] if kind is not None else []
    interval = Interval(found.low_per_s * scale, found.high_per_s * scale, found.interval.confidence)
    return RuleResult(rule, judged.outcome, "; ".join(sentences), found.per_s * scale, found.blocks, interval)


def _lifetime_result(rule: Rule, words: str, found: Growth) -> RuleResult:
    limit = (rule.capacity or 0.0) * (MB if rule.in_mb else 1.0)
    judged = judge_lifetime(found, limit, rule.limit * DAY_S)
    lasts = lifetime(found, limit)
    reason = growth_sentence(words, found, lifetime=lasts).removesuffix(".")
    if judged.outcome is not RuleOutcome.PASS:
        reason = f"{reason}; {judged.reason}"
    days = lasts.seconds / DAY_S
    return RuleResult(rule, judged.outcome, reason, days if isfinite(days) else None, found.blocks)


def requests_in(view: RecorderView, span_s: tuple[float, float]) -> int:
    """Return the number of requests that ended in a span of epoch seconds."""
    first_s, end_s = span_s
    return view.requests_between(int(first_s), ceil(end_s))


def companions(resources: ResourceRecord, resource: str, span_s: tuple[float, float]) -> dict[str, Growth | None]:
    """Return the growth of the other quantities of a resource in a span, by quantity."""
    found: dict[str, Growth | None] = {}
    for quantity in resources.quantities(resource):
        series = resources.series(resource, quantity)
        if series is not None and quantity != MEMORY:
            found[quantity] = growth_between(series, span_s)
    return found


def _too_short(series: ResourceSeries) -> str:
    known = f"only {count(len(series))} seconds under load were measured"
    return f"{known}, which is too short for a growth; run for at least 3 min"


def _not_measured(rule: Rule, resources: ResourceRecord) -> str:
    quantity, scope = rule.metric.quantity, rule.scope
    if known := resources.quantities(scope):
        return f"{quantity!r} of {scope!r} was not measured; its measured quantities: {', '.join(known)}"
    notes = "; ".join(resources.notes)
    known = resources.resources()
    measured = f"measured resources: {', '.join(known)}" if known else "no resource was measured"
    return f"the resource {scope!r} was not measured; {measured}{f' ({notes})' if notes else ''}"
