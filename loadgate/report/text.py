"""How figures are written in every artefact, so that the console, the report and the summary agree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from loadgate.run.document import RuleRecord

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


def milliseconds(value: float | None) -> str:
    """Write a time: `-`, `0.84 ms`, `12.3 ms`, `104.9 ms`, `1,625 ms`."""
    if value is None:
        return "-"
    decimals = 2 if value < 10 else 1 if value < 1000 else 0
    return f"{value:,.{decimals}f} ms"


def percent(fraction: float | None) -> str:
    """Write a fraction as a percentage with as many digits as a small one needs."""
    if fraction is None:
        return "-"
    return f"{fraction * 100:.2f} %" if fraction < 0.1 else f"{fraction * 100:.1f} %"


def number(value: float | None, decimals: int = 0) -> str:
    """Write a count or a rate."""
    return "-" if value is None else f"{value:,.{decimals}f}"


def mebibytes(value: float | None) -> str:
    """Write an amount of memory."""
    return "-" if value is None else f"{value / 2**20:,.1f} MiB"


def rule_quantity(rule: Limited, value: float | None) -> str:
    """Write a rule's value or limit in the rule's unit."""
    if value is None:
        return "-"
    if rule.unit == "ms":
        return milliseconds(value)
    if rule.unit == "%":
        return percent(value / 100)
    if rule.unit == "/s":
        return f"{number(value, 2 if value < 10 else 1 if value < 100 else 0)}/s"
    return f"{value:,.10g}{rule.unit}"


def rule_limit(rule: Limited) -> str:
    """Write what a rule requires, as in `< 100.0 ms`."""
    limit = f"{rule.limit:,.10g} {rule.unit}".strip()
    return f"{rule.operator} {limit}{rule_conditions(rule.window_s, rule.stage)}"


def rule_conditions(window_s: int | None, stage: str | None) -> str:
    """Write which part of the run a rule reads, as in ` over 10 s in ramp`; nothing for a rule on the whole run."""
    return (f" over {window_s} s" if window_s else "") + (f" in {stage}" if stage else "")


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


def duration(seconds: float | None) -> str:
    """Write a length of time: `58.2 s`, `5 min 03 s`, `1 h 02 min`."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


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
