"""Say of each failed rule on requests when it was broken, and which request names broke it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from loadgate.analysis.breach import Breach, NameInBreach, find_breach
from loadgate.analysis.confidence import min_samples
from loadgate.analysis.traffic import Span
from loadgate.recorder import OVERALL, Recorder, RequestName, Totals
from loadgate.rules import MetricKind, Rule, RuleOutcome, RuleResult, Unit, loaded_stages, steady_stages
from loadgate.rules.readings import mean_or_extreme
from loadgate.run.document.conclusions import BreachRecord
from loadgate.units import clock, count, quantity

SAMPLES = 3
"""A period has this multiple of the requests that a percentile needs at least, so p95 rests on 60."""

MIN_REQUESTS = 20
MAX_TEXT = 120
"""Maximum length of an error's text."""


def breaches(recorder: Recorder, results: Iterable[RuleResult], started_s: float) -> list[BreachRecord]:
    """Return how each failed rule on latencies or failures was broken. `started_s` is the start of the load."""
    failed = (result for result in results if result.outcome is RuleOutcome.FAIL and _is_explicable(result.rule))
    return [_record(recorder, result, started_s) for result in failed]


def _is_explicable(rule: Rule) -> bool:
    """Return whether requests can break the rule: it limits latencies or failures from above."""
    kind = rule.metric.kind
    is_about_requests = kind.is_latency or kind is MetricKind.FAILURES
    return is_about_requests and rule.operator.bounds_from_above and rule.compared_with is None


@dataclass(frozen=True, slots=True)
class _RuleLimit:
    """The limit of a rule, for a part of its requests."""

    rule: Rule

    @property
    def is_on_failures(self) -> bool:
        return self.rule.metric.kind is MetricKind.FAILURES

    def value(self, totals: Totals) -> float | None:
        """Return the value of the rule's metric, however few the requests are."""
        if not self.is_on_failures:
            metric = self.rule.metric
            if metric.kind is MetricKind.PERCENTILE:
                return totals.success.quantile(metric.quantile)
            return mean_or_extreme(metric.kind, totals.success)
        if self.rule.unit is Unit.COUNT:
            return float(totals.failures)
        return 100 * totals.failures / totals.requests if totals.requests else None

    def is_broken(self, totals: Totals) -> bool:
        value = self.value(totals)
        return value is not None and not self.rule.operator.holds(value, self.rule.limit)

    def against(self, totals: Totals) -> int:
        return totals.failures if self.is_on_failures else totals.success.count_above(self.rule.limit)

    def min_requests(self) -> int:
        metric, percent = self.rule.metric, self.rule.unit is Unit.PERCENT
        if metric.kind is MetricKind.PERCENTILE:
            return SAMPLES * min_samples(metric.quantile)
        if self.is_on_failures and percent and self.rule.limit > 0:
            return max(MIN_REQUESTS, ceil(100 / self.rule.limit))
        return MIN_REQUESTS


def _record(recorder: Recorder, result: RuleResult, started_s: float) -> BreachRecord:
    rule, limit = result.rule, _RuleLimit(result.rule)
    stages = _stages(recorder, result)
    requests = {name: recorder.time_slots(name, stages) for name in _names(recorder, rule.scope)}
    requests = {name: slots for name, slots in requests.items() if slots}
    found = find_breach(requests, limit, limit.min_requests(), float(rule.window_s or 1))
    return BreachRecord(
        rule=str(rule),
        spans=[(span.start_s, span.end_s) for span in found.spans],
        requests=[name.request.name for name in found.names],
        sentence=_sentence(recorder, limit, found, _when(found, result, started_s)),
    )


def _stages(recorder: Recorder, result: RuleResult) -> set[str] | None:
    """Return the stages that a result is about, or None for all."""
    rule = result.rule
    if rule.stage:
        return {rule.stage}
    if result.stages == "steady":
        return steady_stages(recorder)
    return loaded_stages(recorder) if rule.metric.kind.is_latency else None


def _names(recorder: Recorder, scope: str) -> list[RequestName]:
    """Return the request names of a scope. A measure is one only in a scope that has nothing else."""
    if scope in recorder.groups() or scope == OVERALL:
        within = [name for name in recorder.requests() if scope in {OVERALL, name.group}]
        requests = [name for name in within if not recorder.is_measure(name)]
        return requests or within
    return [RequestName(scope)]


def _sentence(recorder: Recorder, limit: _RuleLimit, found: Breach, when: str) -> str:
    if found.names:
        shown = [_name(recorder, limit, name) for name in found.names]
        return f"Broken {when} by {'; '.join(shown)}."
    alone = f"{count(len(found.slow_names))} of {count(found.all_names)} break the limit on their own"
    if found.slow_names:
        worst = max(found.slow_names, key=lambda name: limit.value(name.inside) or 0.0)
        alone += f", most of all {_name(recorder, limit, worst)}"
    return f"Broken {when.removesuffix(',')}. No request name stands out: {alone}."


def _when(found: Breach, result: RuleResult, started_s: float) -> str:
    if found.is_throughout:
        stage = result.rule.stage
        part = f"stage {stage}" if stage else "run"
        return f"during the whole {part}{' after the ramp' if result.stages == 'steady' and not stage else ''}"
    if not found.spans:
        return "by the run as a whole, but in no part of it"
    longest = max(found.spans, key=lambda span: span.length_s)
    if len(found.spans) == 1:
        return _from_to(longest, started_s)
    return f"{count(len(found.spans))} times, longest {_from_to(longest, started_s)},"


def _from_to(span: Span, started_s: float) -> str:
    return f"from {clock(span.start_s - started_s)} to {clock(span.end_s - started_s)}"


def _name(recorder: Recorder, limit: _RuleLimit, name: NameInBreach) -> str:
    """Return a name with its value in the broken time and in the rest of the run."""
    label = name.request.name
    if limit.is_on_failures:
        failed = f"{count(name.inside.failures)} of {count(name.inside.requests)} requests failed"
        error = _error(recorder, label)
        return f"{label} ({failed}{f', {error}' if error else ''})"
    metric = limit.rule.metric
    inside = quantity(limit.value(name.inside), limit.rule.unit, limit.rule.limit)
    rest = ""
    if name.outside.success.count and not limit.is_broken(name.outside):
        value = quantity(limit.value(name.outside), limit.rule.unit, limit.rule.limit)
        rest = f", {value} in the rest of the run"
    return f"{label} ({metric} {inside}{rest})"


def _error(recorder: Recorder, label: str) -> str:
    """Return the most frequent error of a name."""
    texts: Sequence[str] = [error.text for error in recorder.errors() if error.name == label]
    if not texts:
        return ""
    text = texts[0] if len(texts[0]) <= MAX_TEXT else f"{texts[0][: MAX_TEXT - 1]}…"
    return f"{'mostly ' if len(texts) > 1 else ''}{text}"
