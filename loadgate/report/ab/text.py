"""The output at the end of a comparison: the conclusion, and each rule as a row, or as a list on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from loadgate.analysis.ab.result import AbResult, Change
from loadgate.analysis.decision import RuleOutcome
from loadgate.report.ab import wording
from loadgate.report.ab.document import AbDocument
from loadgate.report.text import OUTCOME_WORDS, aligned, printable
from loadgate.terminal import wrapped

HEAD = ("RULE", "BASE", "HEAD", "CHANGE", "INTERVAL", "OUTCOME")


def ab_text(document: AbDocument, page: Path | None, columns: int | None = None) -> str:
    """Return the conclusion, each rule with its change, the guards, the power and what changed besides the rules.

    `page` is the path of ab.html, if it was written. Lines are wrapped at `columns`, if given.
    """
    result, plan = document.result, document.plan
    sentences = [
        *(f"! {guard.sentence}" for guard in wording.further_broken(result)),
        wording.holding_sentence(result.guards),
        wording.power_sentence(result),
        wording.names_sentence(result),
        *(f"not compared: {item.rule} ({item.reason})" for item in document.not_compared),
        f"base: {wording.side_text(plan.base)}",
        f"head: {wording.side_text(plan.head)}",
        wording.plan_sentence(plan, result.pairs),
        *_intervals(result),
    ]
    lines = [
        f"{OUTCOME_WORDS[result.outcome]}: {printable(result.reason)} (exit code {document.exit_code})",
        "",
        *_rules(result.rules, columns),
        *(printable(sentence) for sentence in sentences if sentence),
        *([f"report: {page}"] if page is not None else []),
    ]
    return "\n".join(["", *wrapped(lines, columns), ""])


def _rules(rules: Iterable[Change], columns: int | None) -> list[str]:
    rows = [(HEAD, ""), *((_cells(item), _details(item)) for item in rules)]
    if len(rows) == 1:
        return ["no rule can be compared", ""]
    table = aligned([cells for cells, _ in rows], right={1, 2, 3, 4})
    if columns is None or max(map(len, table)) <= columns:
        return [*(line for row, (_, reason) in zip(table, rows, strict=True) for line in _with(row, reason)), ""]
    lines = []
    for (rule, base, head, change, interval, outcome), reason in rows[1:]:
        lines += _with(f"{outcome} {printable(rule)}", f"{base} -> {head}, {change}, interval {interval}")
        lines += _with("", reason)
    return [*lines, ""]


def _details(item: Change) -> str:
    """Return why a rule did not pass."""
    return "" if item.outcome is RuleOutcome.PASS else printable(wording.reason_text(item))


def _with(line: str, below: str) -> list[str]:
    return [text for text in (line, f"  {below}" if below else "") if text]


def _cells(item: Change) -> tuple[str, ...]:
    return (
        str(item.measure),
        wording.value_text(item, item.base),
        wording.value_text(item, item.head),
        wording.change_text(item),
        # Its unit is the unit of the change. Without it, the table fits in 80 columns.
        wording.interval_text(item).removesuffix(" %").removesuffix(" points"),
        OUTCOME_WORDS[item.outcome],
    )


def _intervals(result: AbResult) -> list[str]:
    confidence = wording.confidence_text(result.rules)
    return [f"Intervals have a confidence of {confidence}."] if confidence else []
