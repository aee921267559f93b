"""Limits of a smoke test: where there are too few requests to estimate a value, each single one must keep the limit."""

from dataclasses import replace

from loadgate.recorder import Totals
from loadgate.rules.types import MetricKind, RuleOutcome, RuleResult
from loadgate.units import count, given, quantity


def by_each_request(result: RuleResult, totals: Totals) -> RuleResult:
    """Return an inconclusive result as a pass where no request of `totals` speaks against it, else inconclusive.

    This is stricter than the limit itself, which a few slow or failed requests may exceed. It says nothing of what a
    longer run would measure, so it is for runs that were asked to be small.
    """
    rule = result.rule
    if result.doubted or not rule.operator.bounds_from_above:
        return result
    if rule.metric.kind is MetricKind.PERCENTILE:
        slowest, samples = totals.success.max_ms, totals.success.count
        if slowest is None:
            return result
        limit = f"{rule.operator.value} {given(rule.limit, 'ms')}"
        shown = f"the slowest of {count(samples)} took {quantity(slowest, 'ms', rule.limit)}"
        if rule.operator.holds(slowest, rule.limit):
            reason = f"too few requests for a {rule.metric}, but each took {limit}: {shown}"
            return replace(result, outcome=RuleOutcome.PASS, reason=reason, value=slowest, samples=samples)
        return replace(result, reason=f"{result.reason}; not each took {limit}: {shown}")
    if rule.metric.kind is MetricKind.FAILURES and totals.requests and not totals.failures:
        reason = f"too few requests to bound the share of failures, but none of {count(totals.requests)} failed"
        return replace(result, outcome=RuleOutcome.PASS, reason=reason, value=0.0, samples=totals.requests)
    return result
