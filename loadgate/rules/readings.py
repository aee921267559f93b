"""One value read for a metric from the requests of a scope, or the reason why there is none."""

from dataclasses import dataclass

from loadgate.recorder import LatencySketch, Totals
from loadgate.rules.statistics import min_requests_for_share, min_samples, quantile_interval, share_interval
from loadgate.rules.types import Interval, Metric, MetricKind, Rule, Unit
from loadgate.units import count, given


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` in the rule's unit from `samples` requests; when it is None, `lack` says in a clause what was missing."""

    value: float | None
    samples: int
    lack: str = ""


def read(rule: Rule, totals: Totals, duration_s: float) -> Reading:
    """The rule's metric of these requests, which came over `duration_s` seconds."""
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
        lack = f"a limit of {limit} needs at least {count(needed)} requests and there were {count(requests)}"
        return Reading(None, requests, lack)
    return Reading(100 * failures / requests, requests)


def _read_latency(metric: Metric, totals: Totals) -> Reading:
    sketch = totals.success
    if sketch.untimed and not sketch.count:
        return Reading(None, 0, f"none of {count(sketch.untimed)} successful requests has a response time")
    if not sketch.count:
        failed = f"all {count(totals.failures)} requests failed" if totals.failures else "no request was recorded"
        return Reading(None, 0, f"{failed}, and latencies are read from successes only")
    if metric.kind is MetricKind.PERCENTILE:
        needed = min_samples(metric.quantile)
        if sketch.count < needed:
            lack = f"{metric} needs at least {count(needed)} successful requests and there were {count(sketch.count)}"
            return Reading(None, sketch.count, lack)
        return Reading(sketch.quantile(metric.quantile), sketch.count)
    return Reading(moment(metric.kind, sketch), sketch.count)


def moment(kind: MetricKind, sketch: LatencySketch) -> float | None:
    """The mean, minimum or maximum in ms, None without samples."""
    return {
        MetricKind.MEAN: sketch.mean_ms,
        MetricKind.MIN: sketch.min_ms,
        MetricKind.MAX: sketch.max_ms,
    }[kind]


def confidence_interval(rule: Rule, totals: Totals) -> Interval | None:
    """The interval of the value that `read` gives: for percentiles and shares of failures, None for others."""
    if rule.metric.kind is MetricKind.PERCENTILE:
        return quantile_interval(totals.success, rule.metric.quantile)
    if rule.metric.kind is MetricKind.FAILURES and rule.unit is Unit.PERCENT:
        return share_interval(totals.failures, totals.requests)
    return None
