"""summary.md: the verdict for the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.report.baseline.text import baseline_line, baseline_meaning, baseline_problem, baseline_warnings
from loadgate.report.cause import breach_lines, error_line
from loadgate.report.conclusions import brief_conclusions
from loadgate.report.markdown import escaped
from loadgate.report.resources import LineFigures, ResourceLine, brief_figures, unread
from loadgate.report.text import OUTCOME_WORDS, further_notes, rule_limit, rule_quantity, rule_reason, verdict_sentence
from loadgate.report.value_changes import change_text, interval_text, value_text
from loadgate.run.document import ErrorRecord, NameFigures, RuleRecord, RunDocument
from loadgate.units import count, duration, milliseconds, percentage

MAX_ERRORS = 10
MAX_REQUESTS = 100
MAX_RESOURCES = 30


def markdown_summary(document: RunDocument) -> str:
    """Return the verdict, the rules, the requests, the most frequent errors and the resources as Markdown."""
    run, verdict, overall = document.run, document.verdict, document.totals.overall
    notes, causes = [*further_notes(verdict), *unread(document)], breach_lines(document)
    sentence = (
        f"{escaped(verdict_sentence(verdict))}. {count(overall.requests)} requests in {duration(run.duration_s)} "
        f"against {escaped(run.host)}, {percentage(overall.failure_rate)} failed."
    )
    lines = [
        f"## Load test {escaped(run.profile.name)}: {OUTCOME_WORDS[verdict.outcome]}",
        "",
        sentence,
        "",
        *(f"- {escaped(line)}" for line in causes),
        "" if causes else None,
        *(f"> {escaped(note)}" for note in notes),
        "" if notes else None,
        "| Rule | Limit | Measured | Samples | Outcome | |",
        "| --- | --- | ---: | ---: | --- | --- |",
        *(_rule_row(rule) for rule in verdict.rules),
        "",
        *_since_baseline(document),
        "| Request | Requests | Failed | p50 | p95 | p99 | Max |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *_requests(document.totals.requests),
        *_errors(document.errors),
        *_resources(document),
        *_conclusions(document),
    ]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _rule_row(rule: RuleRecord) -> str:
    what = f"{escaped(rule.scope)}: {rule.metric}"
    return (
        f"| {what} | {escaped(rule_limit(rule))} | {rule_quantity(rule, rule.value)} | {count(rule.samples)} "
        f"| {OUTCOME_WORDS[rule.outcome]} | {escaped(rule_reason(rule))} |"
    )


def _since_baseline(document: RunDocument) -> list[str]:
    """Return the changes of the rules since the baseline as a table, or why there is none. Empty without a baseline."""
    baseline, changes = document.baseline, document.since_baseline
    if problem := baseline_problem(document):
        return [f"{escaped(problem[:1].upper() + problem[1:])}.", ""]
    if baseline is None or changes is None or not changes.rules:
        return []
    rows = (
        f"| {escaped(item.subject)} | {value_text(item.unit, item.base)} | {value_text(item.unit, item.head)} "
        f"| {change_text(item.unit, item.change)} | {interval_text(item.unit, item.low, item.high)} |"
        for item in changes.rules
    )
    meaning = baseline_meaning(baseline, document.made_on)
    return [
        *(f"> {escaped(warning)}\n" for warning in baseline_warnings(document)),
        f"{baseline.noun.capitalize()}: {escaped(baseline_line(baseline))}. {escaped(meaning)}",
        "",
        f"| Rule | {baseline.noun.capitalize()} | Now | Change | Interval |",
        "| --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
    ]


def _requests(names: Sequence[NameFigures]) -> list[str]:
    rows = [_request_row(figures) for figures in names[:MAX_REQUESTS]]
    more = len(names) - MAX_REQUESTS
    return [*rows, f"\n{count(more)} more request names are in series.csv and run.json."] if more > 0 else rows


def _request_row(figures: NameFigures) -> str:
    times = figures.success_ms
    shown = " | ".join(map(milliseconds, (times.p50, times.p95, times.p99, times.max)))
    name = escaped(figures.name) + (" (measure)" if figures.kind == "measure" else "")
    return f"| {name} | {count(figures.requests)} | {count(figures.failures)} | {shown} |"


def _errors(errors: Sequence[ErrorRecord]) -> list[str]:
    if not errors:
        return []
    rows = [f"| {escaped(e.name)} | {escaped(error_line(e))} | {count(e.count)} |" for e in errors[:MAX_ERRORS]]
    more = [f"\n{len(errors) - MAX_ERRORS} more kinds of errors are in the report."] if len(errors) > MAX_ERRORS else []
    return ["", "| Failed request | Error | Times |", "| --- | --- | ---: |", *rows, *more]


def _conclusions(document: RunDocument) -> list[str]:
    sentences = brief_conclusions(document)
    return ["", *(f"- {escaped(sentence)}" for sentence in sentences)] if sentences else []


def _resources(document: RunDocument) -> list[str]:
    found = brief_figures(document)
    if not found:
        return []
    rows = [_resource_row(line, figures) for line, figures in found[:MAX_RESOURCES]]
    more = [f"\n{len(found) - MAX_RESOURCES} more quantities are in the report."] if len(found) > MAX_RESOURCES else []
    return ["", "| Resource | Quantity | Mean | Max | Limit |", "| --- | --- | ---: | ---: | ---: |", *rows, *more]


def _resource_row(line: ResourceLine, figures: LineFigures) -> str:
    shown = " | ".join(map(line.quantity.unit.text, (figures.mean, figures.max, line.limit)))
    return f"| {escaped(line.quantity.resource)} | {escaped(line.quantity.label)} | {shown} |"
