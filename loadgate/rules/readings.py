"""Read the value of a metric from the requests of a scope, or the reason why it has none."""

from collections.abc import Mapping
from dataclasses import dataclass

from loadgate.analysis.confidence import min_requests_for_share, min_samples, quantile_interval, share_interval
from loadgate.analysis.design_effect import SUCCEEDED, DesignEffect
from loadgate.analysis.interval import Interval
from loadgate.recorder import LatencySketch, Totals
from loadgate.rules.types import Metric, MetricKind, Rule, Unit
from loadgate.units import count, given


@dataclass(frozen=True, slots=True)
class Reading:
    """A `value` in the rule's unit, read from `samples` requests. If it is None, `missing` says why in a clause."""

    value: float | None
    samples: int
    missing: str = ""


def read(rule: Rule, totals: Totals, duration_s: float) -> Reading:
    """Read the rule's metric from the requests of a period of `duration_s`."""
    if rule.metric.kind.is_latency:
        return _read_latency(rule.metric, totals)
    if rule.metric.kind is MetricKind.FAILURES:
        return _read_failures(rule, totals)
    if rule.metric.kind is MetricKind.REQUESTS:
        return Reading(float(totals.requests), totals.requests)
    if duration_s <= 0:
        return Reading(None, totals.requests, "the length of the run is not known")
    return Reading(totals.requests / duration_s, totals.requests)


def _read_failures(rule: Rule, totals: Totals) -> Reading:
    failures, requests = totals.failures, totals.requests
    if rule.unit is Unit.COUNT:
        return Reading(float(failures), requests)
    if not requests:
        return Reading(None, 0, "no request was recorded")
    needed = min_requests_for_share(rule.limit / 100)
    if not failures and requests < needed and rule.operator.bounds_from_above:
        limit = given(rule.limit, rule.unit)
        missing = f"a limit of {limit} needs at least {count(needed)} requests and there were {count(requests)}"
        return Reading(None, requests, missing)
    return Reading(100 * failures / requests, requests)


def _read_latency(metric: Metric, totals: Totals) -> Reading:
    sketch = totals.success
    if sketch.untimed and not sketch.count:
        return Reading(None, 0, f"none of {count(sketch.untimed)} successful requests has a response time")
    if not sketch.count:
        failed = f"all {count(totals.failures)} requests failed" if totals.failures else "no request was recorded"
        return Reading(None, 0, f"{failed}, and only successful requests have latencies")
    if metric.kind is MetricKind.PERCENTILE:
        needed = min_samples(metric.quantile)
        if sketch.count < needed:
            missing = f"{metric} needs at least {count(needed)} successful requests, not {count(sketch.count)}"
            return Reading(None, sketch.count, missing)
        return Reading(sketch.quantile(metric.quantile), sketch.count)
    return Reading(mean_or_extreme(metric.kind, sketch), sketch.count)


def mean_or_extreme(kind: MetricKind, sketch: LatencySketch) -> float | None:
    """Return the mean, the minimum or the maximum in ms, None without samples."""
    return {
        MetricKind.MEAN: sketch.mean_ms,
        MetricKind.MIN: sketch.min_ms,
        MetricKind.MAX: sketch.max_ms,
    }[kind]


def has_interval(rule: Rule) -> bool:
    """Return whether the metric has a confidence interval: a percentile or a failure rate."""
    is_share = rule.metric.kind is MetricKind.FAILURES and rule.unit is Unit.PERCENT
    return is_share or rule.metric.kind is MetricKind.PERCENTILE


def confidence_interval(rule: Rule, totals: Totals, effects: Mapping[int, DesignEffect]) -> Interval | None:
    """Return the confidence interval of a metric that has one. `effects` are the design effects of its requests."""
    if rule.metric.kind is MetricKind.PERCENTILE:
        return quantile_interval(totals.success, rule.metric.quantile, effects=effects)
    return share_interval(totals.failures, totals.requests, effect=effects.get(SUCCEEDED))
