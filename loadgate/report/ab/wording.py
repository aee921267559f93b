"""Texts of a comparison that the console, the summary and the page share."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.analysis.ab.result import AbResult, Change, Guard, NameChange
from loadgate.analysis.ab.text import of_share
from loadgate.report.ab.document import PlanRecord, SideRecord
from loadgate.report.text import SHORT_COMMIT
from loadgate.units import (
    change,
    change_range,
    count,
    duration,
    given,
    given_percentage,
    milliseconds,
    percentage,
    points,
)

MAX_IN_SENTENCE = 4
"""The maximum number of rules or names that a sentence lists."""


def value_text(item: Change, value: float | None) -> str:
    """Return the value of one side."""
    return percentage(value) if of_share(item.measure) else milliseconds(value)


def change_text(item: Change) -> str:
    """Return a change, as in `+17.0 %`."""
    return _change(item, item.change)


def interval_text(item: Change) -> str:
    """Return the confidence interval of a change, as in `+13.0 to +21.0 %`. "-" if there is none."""
    interval = item.interval
    return "-" if interval is None else change_range(interval.low, interval.high, of_share=of_share(item.measure))


def detectable_text(item: Change) -> str:
    """Return the smallest change that the pairs would have found."""
    return _change(item, item.detectable)


def reason_text(item: Change) -> str:
    """Return the reason for an outcome, and how many more pairs would decide."""
    more = item.more_pairs
    return f"{item.reason}; {_pairs(more, ' more')} would decide" if more else item.reason


def name_interval(item: NameChange) -> str:
    """Return the confidence interval of the change of a request name. "-" if there is none."""
    return "-" if item.interval is None else change_range(item.interval.low, item.interval.high)


def confidence_text(changes: Sequence[Change]) -> str:
    """Return the confidence of the intervals, as in `95 %`. "" if they have several, or if there is none."""
    levels = {item.interval.confidence for item in changes if item.interval is not None}
    return given_percentage(*levels) if len(levels) == 1 else ""


def power_sentence(result: AbResult) -> str:
    """Return which changes the pairs detect. The rules with the largest ones come first. "" without rules."""
    known = [item for item in result.rules if item.detectable is not None]
    if not known:
        return ""
    ranked = sorted(known, key=lambda item: item.detectable or 0.0, reverse=True)
    listed = _listed([f"{detectable_text(item)} of {item.measure}" for item in ranked], "rules")
    return f"With a probability of 80 %, {_pairs(result.pairs)} detect {listed}."


def names_sentence(result: AbResult) -> str:
    """Return which request names changed. "" if none did."""
    found = [item for item in result.names if item.is_discovery]
    listed = _listed([f"{item.name} {change(item.change)}" for item in found], "names")
    return f"p95 of request names that changed: {listed}." if found else ""


def side_text(side: SideRecord) -> str:
    """Return a side: its label, its commit and its uncommitted files."""
    files = side.changed_files
    details = [
        side.commit[:SHORT_COMMIT] if side.commit and side.commit[:SHORT_COMMIT] != side.label else "",
        side.url if side.url and side.url != side.label else "",
        f"{count(files)} uncommitted {'file' if files == 1 else 'files'}" if files else "",
    ]
    known = ", ".join(filter(None, details))
    return f"{side.label} ({known})" if known else side.label


def plan_sentence(plan: PlanRecord, pairs: int) -> str:
    """Return what was measured. `pairs` is the number of pairs."""
    return (
        f"Profile {plan.profile} at {given(plan.rate_per_s, '/s')} ({plan.rate_from}): {_pairs(pairs)}, "
        f"{duration(plan.measure_s)} a side after {duration(plan.settle_s)}, seed {plan.seed}."
    )


def holding_sentence(guards: Sequence[Guard]) -> str:
    """Return the names of the guards that hold. "" if none does."""
    names = ", ".join(guard.name for guard in guards if not guard.is_broken)
    return f"guards that hold: {names}" if names else ""


def broken(guards: Sequence[Guard]) -> list[Guard]:
    """Return the guards that do not hold."""
    return [guard for guard in guards if guard.is_broken]


def _change(item: Change, value: float | None) -> str:
    return points(value) if of_share(item.measure) else change(value)


def _pairs(number: int, more: str = "") -> str:
    return f"{count(number)}{more} {'pair' if number == 1 else 'pairs'}"


def _listed(texts: Sequence[str], what: str) -> str:
    more = len(texts) - MAX_IN_SENTENCE
    shown = [*texts[:MAX_IN_SENTENCE], *([f"{count(more)} more {what}"] if more > 0 else [])]
    return ", ".join(shown)
