"""metrics.prom: the results of a run in the Prometheus text format, for the textfile collector or a push gateway.

As is usual in Prometheus, times are in seconds, and shares are between 0 and 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from loadgate.report.resources import load_figures, resource_lines, with_limits
from loadgate.run.document import RuleRecord, RunDocument, ScopeFigures, TotalFigures

QUANTILES = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99", "p99.9": "0.999"}
OUTCOMES = ("pass", "fail", "inconclusive")

_DIVISORS = {"ms": 1000.0, "%": 100.0, "MB/h": 3600 / 1e6, "/h": 3600.0, "d": 1 / 86_400}
"""Divide a value in the unit of a rule by this to get seconds, a share, or bytes per second and the like."""

Labels = dict[str, str]


class _Metric(Metric):
    """One gauge and its samples."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text, "gauge")

    def add(self, value: float | None, **labels: str) -> None:
        """Add a sample. An unknown value (None) is skipped."""
        if value is not None:
            self.add_sample(self.name, {name: _label_value(text) for name, text in labels.items()}, value)


@dataclass(frozen=True)
class _Metrics(Collector):
    metrics: Sequence[_Metric]

    def collect(self) -> Iterable[Metric]:
        return [metric for metric in self.metrics if metric.samples]


def prometheus_text(document: RunDocument) -> str:
    """Return the text of the file. Every sample has the profile's name as a label."""
    metrics = [*_run(document), *_rules(document.verdict.rules), *_requests(document.totals), _resources(document)]
    profile = {"profile": _label_value(document.run.profile.name)}
    for metric in metrics:
        metric.samples = [sample._replace(labels=profile | sample.labels) for sample in metric.samples]
    return generate_latest(_Metrics(metrics)).decode()


def _run(document: RunDocument) -> list[_Metric]:
    run, verdict = document.run, document.verdict
    outcome = _Metric("loadgate_run_outcome", "1 for the outcome of the run, 0 for the others.")
    for word in OUTCOMES:
        outcome.add(float(word == verdict.outcome), outcome=word)
    ended = _Metric("loadgate_run_end_timestamp_seconds", "The time at which the run ended.")
    ended.add(round(run.ended_s))
    duration = _Metric("loadgate_run_duration_seconds", "The duration of the load.")
    duration.add(run.duration_s)
    users = _Metric("loadgate_run_users", "The maximum number of users.")
    users.add(max((count for _, count in document.user_counts), default=0))
    return [outcome, ended, duration, users]


def _rules(rules: Iterable[RuleRecord]) -> list[_Metric]:
    value = _Metric("loadgate_rule_value", "The measured value of a rule: seconds, a share, a count, a factor, a rate.")
    limit = _Metric("loadgate_rule_limit", "The limit of a rule, in the unit of its value.")
    samples = _Metric(
        "loadgate_rule_samples", "The number of requests from which a value is computed; blocks for a growth."
    )
    outcome = _Metric("loadgate_rule_outcome", "1 for the outcome of a rule, 0 for the others.")
    for rule in rules:
        divisor = _DIVISORS.get(rule.unit, 1.0)
        labels = {"rule": rule.rule}
        value.add(None if rule.value is None else rule.value / divisor, **labels)
        limit.add(rule.limit / divisor, **labels)
        samples.add(rule.samples, **labels)
        for word in OUTCOMES:
            outcome.add(float(word == rule.outcome), **labels, outcome=word)
    return [value, limit, samples, outcome]


def _requests(totals: TotalFigures) -> list[_Metric]:
    requests = _Metric(
        "loadgate_requests",
        "Requests of a scope, or the number of values of a measure.",
    )
    failures = _Metric("loadgate_failed_requests", "Failed requests.")
    rate = _Metric("loadgate_requests_per_second", "Requests divided by the duration of the run.")
    times = _Metric("loadgate_response_time_seconds", "Quantiles of the response times of successful requests.")
    mean = _Metric("loadgate_response_time_mean_seconds", "Mean response time of successful requests.")
    longest = _Metric("loadgate_response_time_max_seconds", "Longest response time of a successful request.")
    scopes: list[tuple[Labels, ScopeFigures]] = [({"scope": "overall", "group": "", "name": ""}, totals.overall)]
    scopes += [({"scope": "group", "group": group, "name": ""}, row) for group, row in totals.groups.items()]
    scopes += [({"scope": row.kind, "group": row.group, "name": row.name}, row) for row in totals.requests]
    for labels, row in scopes:
        requests.add(row.requests, **labels)
        failures.add(row.failures, **labels)
        rate.add(row.requests_per_s, **labels)
        values_ms = row.success_ms.model_dump()
        for key, quantile in QUANTILES.items():
            times.add(_seconds(values_ms[key]), **labels, quantile=quantile)
        mean.add(_seconds(row.success_ms.mean), **labels)
        longest.add(_seconds(row.success_ms.max), **labels)
    return [requests, failures, rate, times, mean, longest]


def _resources(document: RunDocument) -> _Metric:
    metric = _Metric(
        "loadgate_resource",
        "A quantity of the target under load: bytes, seconds, CPU cores, a count, or one of them per second.",
    )
    for line, figures in load_figures(document, with_limits(resource_lines(document))):
        labels = {"resource": line.quantity.resource, "quantity": line.quantity.name}
        for stat, value in asdict(figures).items():
            metric.add(value, **labels, stat=stat)
    return metric


def _seconds(value_ms: float | None) -> float | None:
    return None if value_ms is None else value_ms / 1000


def _label_value(text: str) -> str:
    # The format has no escape for control characters except line feeds, and a lone surrogate is not valid UTF-8.
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]", " ", text)
