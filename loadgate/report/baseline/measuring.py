"""Make a baseline from a run: the values of its rules and scopes, with their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Context

from loadgate.recorder import OVERALL, Recorder
from loadgate.report.compare.load import fingerprint_of, load_facts
from loadgate.report.compare.values import METRICS
from loadgate.report.text import rule_subject
from loadgate.rules import EvaluationContext, Metric, MetricKind, Operator, Rule, Unit
from loadgate.rules.dependence import RunBatches
from loadgate.rules.evaluate import evaluate_rule
from loadgate.run.document import RuleRecord, RunDocument, ScopeFigures
from loadgate.run.document.baseline import BaselineRecord, BaselineRule, BaselineScope, ValueRow

MAX_NAMES = 30
"""A baseline has the names with the most requests, so that its file stays small."""
_DIGITS = 5


def measured_run(document: RunDocument, name: str = "") -> BaselineRecord:
    """Return the values of a run, whose folder has this name. Raises ValueError if it has no fingerprint."""
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
    recorder = document.recording.recorder()
    load_s = (document.run.started_s, document.run.started_s + document.run.duration_s)
    context = EvaluationContext(load_s=load_s, batches=RunBatches(recorder))
    totals = document.totals
    found = [_scope("overall", OVERALL, totals.overall, recorder, context)]
    found += [_scope("group", name, figures, recorder, context) for name, figures in totals.groups.items()]
    return found + [_scope("name", name, figures, recorder, context) for name, figures in _names(document)]


def _names(document: RunDocument) -> Iterator[tuple[str, ScopeFigures]]:
    """Yield the names with the most requests. A name that several groups have is ambiguous and left out."""
    requests = document.totals.requests
    times = Counter(figures.name for figures in requests)
    groups = document.totals.groups
    single = [figures for figures in requests if times[figures.name] == 1 and figures.name not in groups]
    shown = {id(figures) for figures in sorted(single, key=lambda figures: -figures.requests)[:MAX_NAMES]}
    yield from ((figures.name, figures) for figures in single if id(figures) in shown)


def _scope(
    kind: str, name: str, figures: ScopeFigures, recorder: Recorder, context: EvaluationContext
) -> BaselineScope:
    values = {}
    for metric in METRICS:
        # The limit is not used: a rule reads the value and its interval.
        result = evaluate_rule(_rule(name, metric), recorder, context)
        if result.value is not None:
            interval = result.interval
            bounds = (interval.low, interval.high) if interval is not None else (None, None)
            values[metric] = _row(result.value, *bounds, divisor=100 if metric == "failures" else 1)
    return BaselineScope.model_validate(
        {"kind": kind, "name": name, "requests": figures.requests, "failures": figures.failures, "values": values}
    )


def _rule(scope: str, metric: str) -> Rule:
    if metric == "failures":
        return Rule(scope, Metric(MetricKind.FAILURES), Operator.LE, 100.0, Unit.PERCENT)
    if metric == "mean":
        return Rule(scope, Metric(MetricKind.MEAN), Operator.LE, float("inf"), Unit.MS)
    return Rule(scope, Metric(MetricKind.PERCENTILE, float(metric[1:])), Operator.LE, float("inf"), Unit.MS)


def _row(value: float, low: float | None, high: float | None, *, divisor: float) -> ValueRow:
    low, high = (None if bound is None else _rounded(bound / divisor) for bound in (low, high))
    return _rounded(value / divisor), low, high


def _rounded(value: float) -> float:
    """Return a number with a few significant digits, which keep the file small."""
    return float(Context(prec=_DIGITS).create_decimal_from_float(value))
