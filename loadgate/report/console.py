"""The output at the end of a run: the verdict as a table, or as a list on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from loadgate.report.cause import breach_sentence, failure_lines
from loadgate.report.conclusions import brief_conclusions
from loadgate.report.quantities import by_resource
from loadgate.report.resources import brief_figures, unread
from loadgate.report.text import (
    OUTCOME_WORDS,
    aligned,
    further_notes,
    printable,
    rule_limit,
    rule_quantity,
    rule_reason,
)
from loadgate.rules import rule_conditions
from loadgate.run.document import RuleRecord, RunDocument
from loadgate.terminal import wrapped
from loadgate.units import count, duration, percentage

DEFAULT_COLUMNS = 80
"""The width of the lines of resources if the output is not a terminal."""

HEAD = ("RULE", "LIMIT", "MEASURED", "SAMPLES", "OUTCOME")


def verdict_text(document: RunDocument, report: Path | None, columns: int | None = None) -> str:
    """Return the verdict, each rule with its limit, measured value, samples and outcome, and the notes.

    Lines are wrapped at `columns`, if given.
    """
    run, verdict, overall = document.run, document.verdict, document.totals.overall
    rules = verdict.rules
    requests = f"{count(overall.requests)} requests in {duration(run.duration_s)}"
    lines = [
        f"{OUTCOME_WORDS[verdict.outcome]}: {printable(verdict.reason)} (exit code {verdict.exit_code})",
        "",
        *_rules(document, rules, columns),
        "",
        *(f"! {printable(note)}" for note in [*further_notes(verdict), *_uncertain(rules), *unread(document)]),
        f"{requests}, {percentage(overall.failure_rate)} failed",
        *(f"  {line}" for line in failure_lines(document)),
        *_resources(document, columns),
        *(printable(sentence) for sentence in brief_conclusions(document)),
        *([f"report: {report}"] if report is not None else []),
    ]
    return "\n".join(["", *wrapped(lines, columns), ""])


def _rules(document: RunDocument, rules: Sequence[RuleRecord], columns: int | None) -> list[str]:
    rows = [HEAD, *map(_cells, rules)]
    table = aligned(rows, right={2, 3})
    details = [_details(document, rule) for rule in rules]
    if columns is None or max(map(len, table)) <= columns:
        head, *shown = table
        return [head, *(line for row, more in zip(shown, details, strict=True) for line in (row, *more))]
    lines = []
    for (rule, limit, measured, samples, outcome), more in zip(rows[1:], details, strict=True):
        lines += [f"{outcome} {printable(rule)}", f"  {measured}, limit {limit}, {samples} samples", *more]
    return lines


def _cells(rule: RuleRecord) -> tuple[str, ...]:
    return (
        f"{rule.scope}: {rule.metric}",
        rule_limit(rule),
        rule_quantity(rule, rule.value),
        count(rule.samples),
        OUTCOME_WORDS[rule.outcome],
    )


def _details(document: RunDocument, rule: RuleRecord) -> list[str]:
    """Return the lines below the row of a rule: its reason, if it did not pass or passed narrowly."""
    interval = rule.interval
    is_close = interval is not None and None not in (interval.low, interval.high) and interval.contains(rule.limit)
    if rule.outcome == "pass" and not is_close and _holds_with_the_ramp(rule):
        return []
    return [f"  {printable(line)}" for line in (rule_reason(rule), breach_sentence(document, rule)) if line]


def _holds_with_the_ramp(rule: RuleRecord) -> bool:
    value = rule.value_all_stages
    return value is None or rule.operator.holds(value, rule.limit)


def _resources(document: RunDocument, columns: int | None) -> list[str]:
    """Return one line for each resource of the target with its means under load. Long lines are always wrapped."""
    found = [(line.quantity, figures, line.limit) for line, figures in brief_figures(document)]
    texts = [(quantity.resource, quantity.text(figures.mean, limit)) for quantity, figures, limit in found]
    lines = [f"  {resource}: {text}" for resource, text in by_resource(texts)]
    return ["resources of the target, means under load:", *wrapped(lines, columns or DEFAULT_COLUMNS)] if lines else []


def _uncertain(rules: Iterable[RuleRecord]) -> list[str]:
    """Return a note on rules that passed, but have too few requests for both bounds of their confidence interval."""
    names = []
    for rule in rules:
        interval = rule.interval
        if rule.outcome == "pass" and interval is not None and None in (interval.low, interval.high):
            names.append(f"{rule.scope}: {rule.metric}{rule_conditions(rule)}" if interval.contains(rule.limit) else "")
    named = ", ".join(filter(None, names))
    return [f"too few requests for a 95 % confidence interval of {named}"] if named else []
