"""Make a baseline from a run: the values of its rules and scopes, with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Context
from typing import Literal

from loadgate.analysis.confidence import min_samples, quantile_interval, share_interval
from loadgate.analysis.design_effect import SUCCEEDED, DesignEffect
from loadgate.recorder import OVERALL
from loadgate.report.compare.load import fingerprint_of, load_facts
from loadgate.report.text import rule_subject
from loadgate.rules import Metric, MetricKind, Operator, RecorderView, Rule, Unit, steady_stages
from loadgate.rules.dependence import RunBatches
from loadgate.run.document import RuleRecord, RunDocument, ScopeFigures
from loadgate.run.document.baseline import BaselineRecord, BaselineRule, BaselineScope, ValueRow

PERCENTILES = (50, 95, 99)
MAX_NAMES = 30
"""A baseline has the names with the most requests, so that its file stays small."""
_DIGITS = 5


def measured_run(document: RunDocument, name: str = "") -> BaselineRecord:
    """Return the values of a run, whose folder has this name. Raises ValueError if its load is not stored."""
    run, git = document.run, document.made_on.git
    return BaselineRecord(
        schema_version=1,
        profile=run.profile.name,
        run=name,
        started_at=run.started_at,
        duration_s=float(run.duration_s),
        commit=git.commit if git else None,
        changed=git is not None and git.changed,
        fingerprint=fingerprint_of(document),
        machine_class=document.made_on.machine_class,
        load=load_facts(document),
        rules=[
            BaselineRule(rule=rule_subject(rule), unit=rule.unit, value=row)
            for rule in document.verdict.rules
            if (row := _rule_row(rule)) is not None
        ],
        scopes=_scopes(document),
    )


def _rule_row(rule: RuleRecord) -> ValueRow | None:
    if rule.value is None:
        return None
    interval = rule.interval
    bounds = (interval.low, interval.high) if interval is not None else (None, None)
    return _row(float(rule.value), *bounds, divisor=100 if rule.unit == Unit.PERCENT else 1)


def _scopes(document: RunDocument) -> list[BaselineScope]:
    run, totals = _Measuring(document.recording.recorder()), document.totals
    found = [run.scope("overall", OVERALL, totals.overall)]
    found += [run.scope("group", name, figures) for name, figures in totals.groups.items()]
    return found + [run.scope("name", name, figures) for name, figures in _names(document)]


def _names(document: RunDocument) -> Iterator[tuple[str, ScopeFigures]]:
    """Yield the names with the most requests. A name that several groups have is ambiguous and left out."""
    requests = document.totals.requests
    times = Counter(figures.name for figures in requests)
    groups = document.totals.groups
    single = [figures for figures in requests if times[figures.name] == 1 and figures.name not in groups]
    shown = {id(figures) for figures in sorted(single, key=lambda figures: -figures.requests)[:MAX_NAMES]}
    yield from ((figures.name, figures) for figures in single if id(figures) in shown)


class _Measuring:
    """Measures the scopes of a run as its rules do: latencies without the ramp, failures of the whole run."""

    def __init__(self, view: RecorderView) -> None:
        self._view = view
        self._steady = steady_stages(view)
        self._batches = RunBatches(view)

    def scope(self, kind: Literal["overall", "group", "name"], name: str, figures: ScopeFigures) -> BaselineScope:
        """Return the values of a scope."""
        failures = share_interval(figures.failures, figures.requests, effect=self._failure_effect(name))
        values = self._latencies(name)
        if failures is not None:
            values["failures"] = _row(
                100 * figures.failures / figures.requests, failures.low, failures.high, divisor=100
            )
        return BaselineScope(kind=kind, name=name, requests=figures.requests, failures=figures.failures, values=values)

    def _latencies(self, name: str) -> dict[str, ValueRow]:
        steady = self._view.totals(name, self._steady).success
        stages = self._steady if steady.count else None
        sketch = steady if steady.count else self._view.totals(name).success
        if sketch.mean_ms is None:
            return {}
        # The design effects of all percentiles are computed at once, which takes most of the time.
        effects = self._batches.effects(_rule(name, Metric(MetricKind.MEAN), Unit.MS), stages)
        values = {"mean": _row(sketch.mean_ms, None, None)}
        for percent in PERCENTILES:
            value, interval = sketch.quantile(percent / 100), quantile_interval(sketch, percent / 100, effects=effects)
            if sketch.count >= min_samples(percent / 100) and value is not None and interval is not None:
                values[f"p{percent}"] = _row(value, interval.low, interval.high)
        return values

    def _failure_effect(self, name: str) -> DesignEffect | None:
        return self._batches.effects(_rule(name, Metric(MetricKind.FAILURES), Unit.PERCENT), None).get(SUCCEEDED)


def _rule(scope: str, metric: Metric, unit: Unit) -> Rule:
    """Return a rule that reads a metric. Its limit is not used."""
    return Rule(scope, metric, Operator.LE, 0.0, unit)


def _row(value: float, low: float | None, high: float | None, *, divisor: float = 1) -> ValueRow:
    low, high = (None if bound is None else _rounded(bound / divisor) for bound in (low, high))
    return _rounded(value / divisor), low, high


def _rounded(value: float) -> float:
    """Return a number with a few significant digits, which keep the file small."""
    return float(Context(prec=_DIGITS).create_decimal_from_float(value))
