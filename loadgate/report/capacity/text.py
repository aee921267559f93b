"""The output at the end of a search: the conclusion, the rates, and the capacity by each rule."""

from __future__ import annotations

from pathlib import Path

from loadgate.analysis.capacity.level import Level
from loadgate.analysis.capacity.plan import NextTrial
from loadgate.analysis.capacity.trial import Trial
from loadgate.report.capacity.document import CapacityDocument, LevelRecord, RuleCapacity
from loadgate.report.capacity.use import cpu_of
from loadgate.report.text import OUTCOME_WORDS, aligned, printable
from loadgate.terminal import wrapped
from loadgate.units import count, duration, figure, given, milliseconds

HEAD = ("RATE", "P50", "P95", "P99", "CPU", "TRIALS", "STATE")


def capacity_text(document: CapacityDocument, page: Path | None, columns: int | None = None) -> str:
    """Return the conclusion, a row for each rate, the capacity by each rule, and the rules that are not judged."""
    result = document.result
    rate_table = aligned([HEAD, *map(level_cells, document.levels)], right={0, 1, 2, 3, 4, 5})
    lines = [
        f"{OUTCOME_WORDS[result.outcome]}: {printable(result.sentence)} (exit code {document.exit_code})",
        "",
        *([*rate_table, ""] if document.levels else []),
        *limit_lines(document),
        *rule_lines(document),
        *(f"not judged: {printable(item.rule)} ({item.reason})" for item in document.not_judged),
        *([f"report: {page}"] if page is not None else []),
    ]
    return "\n".join(["", *wrapped(lines, columns), ""])


def trial_line(number: int, step: NextTrial, trial: Trial, level: Level | None, p95_ms: float | None) -> str:
    """Return a line on a trial: its rate, what it shows, and what its rate shows so far.

    `level` is that of its rate, or None if no trial of the rate counts.
    """
    what = f"trial {number} ({step.purpose.value}): {given(step.rate_per_s, '/s')} for {duration(step.length_s)}"
    if trial.void is not None:
        return f"{what} proves nothing: {trial.void.reason}"
    what += f", p95 {milliseconds(p95_ms)}"
    if level is None:
        return f"{what}, is not counted, because the target may still be slow from the rate before"
    why = ", ".join(level.broken or level.undecided)
    return f"{what}, {level.state.value}{f': {why}' if why else ''}"


def level_cells(level: LevelRecord) -> tuple[str, ...]:
    """Return the cells of a rate: its latencies, CPU and state."""
    latencies = level.latencies
    return (
        given(level.rate_per_s, "/s"),
        *(milliseconds(value) for value in (latencies.p50_ms, latencies.p95_ms, latencies.p99_ms)),
        figure(cpu_of(level)),
        count(level.trials),
        ": ".join(filter(None, (level.state.value, ", ".join(level.broken or level.undecided)))),
    )


def limit_lines(document: CapacityDocument) -> list[str]:
    """Return a line for each rule on the capacity itself."""
    return [
        f"{OUTCOME_WORDS[item.outcome]} {printable(item.rule)}: {printable(item.reason)}"
        for item in document.result.limits
    ]


def rule_lines(document: CapacityDocument) -> list[str]:
    """Return a line for each rule with the rates between which it breaks."""
    return [f"{printable(item.rule)}: {_bounds(item)}" for item in document.result.rules if document.levels]


def _bounds(rule: RuleCapacity) -> str:
    rates = {"holds at": rule.holds_per_s, "breaks at": rule.breaks_per_s}
    known = [f"{what} {given(rate, '/s')}" for what, rate in rates.items() if rate is not None]
    return ", ".join(known) or "undecided at every rate"
