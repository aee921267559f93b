"""The judgement of a smoke test: if there are too few requests for a rule, every request must keep the limit."""

from dataclasses import replace

from loadgate.analysis.decision import RuleOutcome
from loadgate.recorder import Totals
from loadgate.rules.reasons import missed_limit
from loadgate.rules.types import MetricKind, RuleResult
from loadgate.units import count, quantity


def judge_each_request(result: RuleResult, totals: Totals) -> RuleResult:
    """Turn an inconclusive result into a pass if every request of `totals` keeps the limit.

    This is stricter than the rule, which permits a few slow or failed requests. It does not predict the result of a
    longer run, so it is used only for runs with fewer users than their profile.
    """
    rule = result.rule
    if result.undetermined or not rule.operator.bounds_from_above:
        return result
    if rule.metric.kind is MetricKind.PERCENTILE:
        slowest, samples = totals.success.max_ms, totals.success.count
        if slowest is None:
            return result
        fact = f"the slowest of {count(samples)} took {quantity(slowest, 'ms', rule.limit)}"
        if rule.operator.holds(slowest, rule.limit):
            reason = f"too few requests for a {rule.metric}, but every request met the limit: {fact}"
            return replace(result, outcome=RuleOutcome.PASS, reason=reason, value=slowest, samples=samples)
        return replace(result, reason=f"{result.reason}; {fact}, {missed_limit(rule, slowest)}")
    if rule.metric.kind is MetricKind.FAILURES and totals.requests and not totals.failures:
        reason = f"too few requests to estimate the failure rate, but none of {count(totals.requests)} failed"
        return replace(result, outcome=RuleOutcome.PASS, reason=reason, value=0.0, samples=totals.requests)
    return result
