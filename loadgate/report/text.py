"""How rules and lines of text are written in every artefact, so that the console, the report and the summary agree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from loadgate.run.document import RuleRecord
from loadgate.units import duration, given, quantity

OUTCOME_WORDS = {"pass": "PASS", "fail": "FAIL", "inconclusive": "INCONCLUSIVE"}


class Limited(Protocol):
    """A rule, of a run that is over or goes on, as far as it is asked for here."""

    @property
    def operator(self) -> str:
        """How the value must compare with the limit."""

    @property
    def limit(self) -> float:
        """The limit, in the unit."""

    @property
    def unit(self) -> str:
        """`ms`, `%`, `/s` or nothing."""

    @property
    def window_s(self) -> int | None:
        """The length of the windows in which it must hold."""

    @property
    def stage(self) -> str | None:
        """The stage whose requests are judged."""


def rule_quantity(rule: Limited, value: float | None) -> str:
    """Write a rule's value in the rule's unit, with the digits that tell it from the limit."""
    return quantity(value, rule.unit, rule.limit)


def rule_limit(rule: Limited) -> str:
    """Write what a rule requires, as in `< 100 ms over 10 s in ramp`."""
    limit = given(rule.limit, rule.unit)
    return f"{rule.operator} {limit}{rule_conditions(rule.window_s, rule.stage)}"


def rule_conditions(window_s: int | None, stage: str | None) -> str:
    """Write which part of the run a rule reads, as in ` over 10 s in ramp`; nothing for a rule on the whole run."""
    return (f" over {duration(window_s)}" if window_s else "") + (f" in {stage}" if stage else "")


def ramp_note(rule: RuleRecord) -> str:
    """Say that a rule's value leaves the ramp out and what it is with it, or nothing where it does not."""
    if rule.stages == "all" or rule.value_all_stages is None:
        return ""
    return f"without the ramp; {rule_quantity(rule, rule.value_all_stages)} with it"


def rule_reason(rule: RuleRecord) -> str:
    """Write why a rule came out as it did, and whether the ramp was left out."""
    return f"{rule.reason} ({note})" if (note := ramp_note(rule)) else str(rule.reason)


def target_end(ended: str) -> str:
    """Write how a managed target ended, without its last lines: `the target ended with exit code 3`."""
    return ended.splitlines()[0].removesuffix("; its last lines:")


def printable(value: str) -> str:
    """Write text from elsewhere in one line that moves no cursor and has no half of a character pair."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in value)


def aligned(rows: Sequence[tuple[str, ...]], right: Collection[int]) -> list[str]:
    """Write a table, a line each row; `right` are the columns that are set to the right. The last one may be long."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
