"""Find the changes in the history. A series has the values of one rule under one load on one class of machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, log1p
from statistics import median

from loadgate.analysis.ab.segments import Margins
from loadgate.analysis.changes import Change, ChangeLimits, Suspicion, find_changes, suspect_newest
from loadgate.report.history import PastRun
from loadgate.report.text import rule_subject
from loadgate.rules import Operator, RuleOutcome, Unit
from loadgate.run.document import RuleRecord
from loadgate.run.judgement import Ending

MAX_RUNS = 150
"""The newest runs are examined. The time to find a change grows with the square of their number."""

MIN_VALUES = 14
"""With fewer values, no split has a p-value of 0.001: a split of 13 values is one of at most 1,716."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What makes the values of a rule comparable: the load and the class of the machine, as hashes."""

    profile_hash: str
    machine_hash: str


@dataclass(frozen=True, slots=True)
class Point:
    """A run of a series. `value` is in the unit of the rule; a share is a fraction."""

    run: PastRun
    value: float


@dataclass(frozen=True, slots=True)
class SeriesChanges:
    """The changes of one rule.

    - `changes`: places in `points`. Their values are logarithms, except those of shares of failures.
    - `suspicion`: on the newest run.
    - `too_few`: True if there are too few values to find a change.
    """

    subject: str
    unit: Unit
    operator: Operator
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    suspicion: Suspicion | None
    too_few: bool

    def value(self, compared: float) -> float:
        """Return a value of a change in the unit of the rule; a share is a fraction."""
        return compared if self.unit is Unit.PERCENT else exp(compared)


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """The series of one load on one class of machines. `profile` is the name in the newest run."""

    profile: str
    key: SeriesKey
    runs: int
    series: tuple[SeriesChanges, ...]


@dataclass(frozen=True, slots=True)
class HistoryChanges:
    """The result for all runs. `left_out` is the number of runs that did not complete, or whose load is not stored."""

    groups: tuple[GroupChanges, ...]
    left_out: int


def examine(newest_first: Sequence[PastRun]) -> HistoryChanges:
    """Find the changes in the history. The groups with the newest runs come first."""
    by_key: dict[SeriesKey, list[PastRun]] = {}
    left_out = 0
    for run in newest_first:
        if run.profile_hash is None or run.machine_hash is None or run.ending != Ending.COMPLETED:
            left_out += 1
        else:
            by_key.setdefault(SeriesKey(run.profile_hash, run.machine_hash), []).append(run)
    return HistoryChanges(tuple(_group(key, runs) for key, runs in by_key.items()), left_out)


def _group(key: SeriesKey, newest_first: Sequence[PastRun]) -> GroupChanges:
    subjects: dict[str, RuleRecord] = {}
    for run in newest_first:
        for rule in run.rules:
            subjects.setdefault(rule_subject(rule), rule)
    series = tuple(_examined(subject, rule, newest_first) for subject, rule in subjects.items())
    return GroupChanges(newest_first[0].profile, key, len(newest_first), series)


def _examined(subject: str, rule: RuleRecord, newest_first: Sequence[PastRun]) -> SeriesChanges:
    is_share = rule.unit == Unit.PERCENT
    points = tuple(_points(subject, newest_first, is_share=is_share))
    values = [point.value if is_share else log(point.value) for point in points]
    limits = ChangeLimits(_least_change(rule.unit, values))
    too_few = len(values) < MIN_VALUES
    changes = () if too_few else tuple(find_changes(values, limits))
    newest_is_known = bool(points) and points[-1].run is newest_first[0]
    suspicion = suspect_newest(values, changes[-1].at if changes else 0, limits.min_change) if newest_is_known else None
    return SeriesChanges(subject, rule.unit, rule.operator, points, changes, suspicion, too_few)


def _least_change(unit: Unit, values: Sequence[float]) -> float:
    """Return the smallest difference of values that counts, with the margins of `loadgate ab`."""
    margins = Margins()
    if unit == Unit.PERCENT:
        return margins.ignore_failures
    usual_ms = exp(median(values)) if unit == Unit.MS and values else None
    ignore, _ = margins.of_latency(usual_ms)
    return log1p(ignore)


def _points(subject: str, newest_first: Iterable[PastRun], *, is_share: bool) -> list[Point]:
    """Return the known values, oldest first. An inconclusive rule has no reliable value, and 0 has no logarithm."""
    found = []
    for run in newest_first:
        rule = next((rule for rule in run.rules if rule_subject(rule) == subject), None)
        if rule is None or rule.value is None or rule.outcome is RuleOutcome.INCONCLUSIVE:
            continue
        if rule.value > 0 or (is_share and rule.value == 0):
            found.append(Point(run, rule.value / 100 if is_share else float(rule.value)))
    return found[::-1]
