"""Evaluate a run: give each rule an outcome (pass, fail or inconclusive) and a reason."""

from collections.abc import Sequence
from dataclasses import replace

from loadgate.analysis.decision import RuleOutcome
from loadgate.recorder import OUTSIDE, OVERALL, RAMP
from loadgate.rules.context import EvaluationContext
from loadgate.rules.dependence import RunBatches
from loadgate.rules.judge import judge
from loadgate.rules.reasons import failed_rules, shown
from loadgate.rules.smoke import judge_each_request
from loadgate.rules.types import Rule, RuleResult, Verdict
from loadgate.rules.view import RecorderView
from loadgate.rules.whole_run import evaluate_whole_run_rule
from loadgate.units import count


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
    if failed := [result for result in results if result.outcome is RuleOutcome.FAIL]:
        return RuleOutcome.FAIL, failed_rules(failed)
    if inconclusive := sum(result.outcome is RuleOutcome.INCONCLUSIVE for result in results):
        rules = "rule" if len(results) == 1 else "rules"
        return RuleOutcome.INCONCLUSIVE, f"{inconclusive} of {len(results)} {rules} inconclusive"
    return RuleOutcome.PASS, f"{'the rule' if len(results) == 1 else f'all {len(results)} rules'} held"


def evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    """Return the result of one rule. Latencies are those of successful requests."""
    if rule.needs_search:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, "a run does not measure the capacity; use loadgate capacity")
    if rule.is_known_at_end:
        return evaluate_whole_run_rule(rule, view, context.whole_run)
    result = _evaluate_rule(rule, view, context)
    if not context.every_request_decides or context.saturated or result.outcome is not RuleOutcome.INCONCLUSIVE:
        return result
    stages = steady_stages(view) if rule.stage is None else _stages_of(rule)
    judged = view.totals(rule.scope, stages)
    with_ramp = view.totals(rule.scope, _stages_under_load(rule, view))
    return judge_each_request(result, judged if judged.success.count else with_ramp)


def _evaluate_rule(rule: Rule, view: RecorderView, context: EvaluationContext) -> RuleResult:
    if not view.totals(rule.scope, _stages_of(rule)).requests:
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, _nothing_recorded(rule, view))
    if not rule.metric.kind.is_latency:
        return judge(rule, view, context, _stages_under_load(rule, view) if rule.counts_in_time else _stages_of(rule))
    stages = _stages_under_load(rule, view)
    if not view.totals(rule.scope, stages).requests:
        reason = f"no request of {rule.scope!r} was sent under load; what users request when they start is no load"
        return RuleResult(rule, RuleOutcome.INCONCLUSIVE, reason)
    whole = judge(rule, view, context, stages)
    result = whole
    if rule.stage is None:
        if not is_steady(view):
            steady = judge(rule, view, context, steady_stages(view))
            if steady.value is not None:
                result = replace(steady, stages="steady")
        result = replace(result, value_all_stages=whole.value)
    if context.saturated and result.value is not None:
        reason = f"the load generator was saturated ({context.saturated}), so its latencies are not reliable"
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason, undetermined=True)
    return result


def _stages_of(rule: Rule) -> set[str] | None:
    return {rule.stage} if rule.stage else None


def _stages_under_load(rule: Rule, view: RecorderView) -> set[str]:
    return _stages_of(rule) or loaded_stages(view)


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
    with_ramp = judge(rule, view, quick, loaded_stages(view))
    if rule.window_s is None and with_ramp.outcome is RuleOutcome.FAIL:
        reason = (
            f"{rule.metric} was {shown(rule, result.value)} without the ramp, but breaks the limit with the ramp; "
            f"add a rule for the ramp, such as '{replace(rule, stage=RAMP)}'"
        )
        return replace(result, outcome=RuleOutcome.INCONCLUSIVE, reason=reason)
    ramp = judge(rule, view, quick, {RAMP})
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
    """Return whether all requests under load belong to the steady stages."""
    return steady_stages(view) == loaded_stages(view)


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
