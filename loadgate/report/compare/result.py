"""The comparison of the runs of two sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.runs import Basis, Difference, RunValues, judge_runs
from loadgate.analysis.runs.judge import LEVEL
from loadgate.analysis.runs.permutation import least_p_value
from loadgate.analysis.runs.spread import MIN_PAST_RUNS
from loadgate.report.compare.load import fingerprint_of
from loadgate.report.compare.sides import ComparedRun, Remark, remarks
from loadgate.report.compare.values import (
    METRICS,
    Quantity,
    Window,
    common_quantities,
    common_window,
    rule_value,
    scope_quantity,
    scope_value,
)
from loadgate.report.history import PastRun
from loadgate.run.document import NameFigures, RuleRecord, ScopeFigures, TotalFigures
from loadgate.run.judgement import Ending
from loadgate.units import count, given

ScopeKey = tuple[str, ...]
"""The kind and the name of a scope; a request name has its group between them."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A quantity of both sides.

    `difference` is on the scale of `quantity`. It is None if the quantity does not affect the outcome.
    """

    quantity: Quantity
    base: float | None
    head: float | None
    change: float | None
    difference: Difference | None = None

    @property
    def interval(self) -> tuple[float | None, float | None] | None:
        """Return the 95 % interval of the change. None if nothing can be judged."""
        if self.difference is None or self.difference.low is None:
            return None
        low, high = self.quantity.change(self.difference.low), self.quantity.change(self.difference.high)
        return (low, high) if self.quantity.higher_is_worse else (high, low)


@dataclass(frozen=True, slots=True)
class ComparedScope:
    """The quantities of a scope, in the order of METRICS."""

    kind: str
    name: str
    values: tuple[Compared, ...]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The result. `reason` is one sentence on the outcome. `window`: the requests whose latencies are compared."""

    outcome: RuleOutcome
    reason: str
    base: tuple[ComparedRun, ...]
    head: tuple[ComparedRun, ...]
    rules: tuple[Compared, ...]
    scopes: tuple[ComparedScope, ...]
    remarks: tuple[Remark, ...]
    window: Window


def compare_runs(base: Sequence[ComparedRun], head: Sequence[ComparedRun], history: Sequence[PastRun]) -> RunComparison:
    """Compare runs of one load. `history` has past runs, newest first, which can include the compared ones."""
    found = remarks(base, head)
    window = common_window([run.document for run in (*base, *head)])
    rules = _rules(base, head, _past(base, head, history), window)
    outcome, reason = _conclusion(rules, found, len(base), len(head))
    scopes = _scopes(base, head, window)
    return RunComparison(outcome, reason, tuple(base), tuple(head), tuple(rules), scopes, tuple(found), window)


def _past(base: Sequence[ComparedRun], head: Sequence[ComparedRun], history: Sequence[PastRun]) -> list[PastRun]:
    """Return the past runs of the same load on the same class of machines, oldest first, without the compared ones."""
    fingerprint = fingerprint_of(head[0].document)
    compared = {run.name for run in (*base, *head)}
    return [
        run
        for run in reversed(history)
        if run.ending == Ending.COMPLETED
        and run.folder not in compared
        and (run.profile_hash, run.machine_hash) == (fingerprint.profile, fingerprint.machine)
    ]


Rules = Sequence[RuleRecord]


class Values(NamedTuple):
    """The value of a quantity in each run of both sides. None if a run has none."""

    base: list[float | None]
    head: list[float | None]


def _rules(
    base: Sequence[ComparedRun], head: Sequence[ComparedRun], past: Sequence[PastRun], window: Window
) -> list[Compared]:
    sides = [[run.document.verdict.rules for run in side] for side in (base, head)]
    quantities = common_quantities(*sides)
    values = [Values(*([rule_value(one, rules, window) for rules in side] for side in sides)) for one in quantities]
    deciding = [place for place, one in enumerate(quantities) if one.decides]
    judged = judge_runs([_run_values(quantities[place], sides, past, window) for place in deciding])
    differences = dict(zip(deciding, judged, strict=True))
    return [_compared(one, values[place], differences.get(place)) for place, one in enumerate(quantities)]


def _run_values(
    quantity: Quantity, sides: Sequence[Sequence[Rules]], past: Sequence[PastRun], window: Window
) -> RunValues:
    values = [[rule_value(quantity, rules, window) for rules in side] for side in sides]
    base, head = map(quantity.scaled, values)
    margins = quantity.margins(quantity.mean(values[0]))
    earlier = quantity.scaled(rule_value(quantity, run.rules, window, reliable=True) for run in past)
    return RunValues(base, head, earlier, *margins, _sampling_error(quantity, sides))


def _sampling_error(quantity: Quantity, sides: Sequence[Sequence[Rules]]) -> float:
    """Return the standard error of a difference of shares, as far as it comes from the number of requests; else 0."""
    if not quantity.is_share:
        return 0.0
    known = [[rule for rules in side for rule in rules if Quantity.of(rule) == quantity] for side in sides]
    requests = [sum(rule.samples for rule in side) for side in known]
    if not all(requests):
        return 0.0
    failures = sum((rule.value or 0.0) / 100 * rule.samples for side in known for rule in side)
    share = failures / sum(requests)
    return sqrt(share * (1 - share) * sum(1 / number for number in requests))


def _compared(quantity: Quantity, values: Values, difference: Difference | None = None) -> Compared:
    before, after = quantity.mean(values.base), quantity.mean(values.head)
    change = None
    if before is not None and after is not None:
        change = after - before if quantity.is_share else after / before - 1
    return Compared(quantity, before, after, change, difference)


def _scopes(base: Sequence[ComparedRun], head: Sequence[ComparedRun], window: Window) -> tuple[ComparedScope, ...]:
    sides = [[_named(run.document.totals) for run in side] for side in (base, head)]
    keys = [key for key in sides[1][0] if any(key in run for run in sides[0])]
    return tuple(ComparedScope(key[0], key[-1], tuple(_metrics(key, sides, window))) for key in keys)


def _metrics(
    key: ScopeKey, sides: Sequence[Sequence[Mapping[ScopeKey, ScopeFigures]]], window: Window
) -> Iterator[Compared]:
    for metric in METRICS:
        values = ([scope_value(run[key], metric, window) if key in run else None for run in side] for side in sides)
        yield _compared(scope_quantity(key[-1], metric), Values(*values))


def _named(totals: TotalFigures) -> dict[ScopeKey, ScopeFigures]:
    """Return the figures by kind and name: overall, groups, names with their group."""
    found: dict[ScopeKey, ScopeFigures] = {("overall", "overall"): totals.overall}
    found |= {("group", name): figures for name, figures in totals.groups.items()}
    names: list[NameFigures] = totals.requests
    return found | {("name", figures.group, figures.name): figures for figures in names}


def _conclusion(rules: Sequence[Compared], found: Sequence[Remark], base: int, head: int) -> tuple[RuleOutcome, str]:
    if reasons := [remark.sentence for remark in found if remark.prevents_judging]:
        more = f"; {count(len(reasons) - 1)} more above" if len(reasons) > 1 else ""
        return RuleOutcome.INCONCLUSIVE, f"{reasons[0]}{more}"
    judged = [rule for rule in rules if rule.difference is not None]
    if not judged:
        return (
            RuleOutcome.INCONCLUSIVE,
            "the sides have no rule for a percentile, the mean or failures in common, so nothing is judged",
        )
    outcomes = [rule.difference.outcome for rule in judged if rule.difference is not None]
    if RuleOutcome.FAIL in outcomes:
        worse = [rule.quantity.subject for rule in judged if _outcome(rule) is RuleOutcome.FAIL]
        number = f"{count(len(worse))} of {count(len(judged))} rules"
        return RuleOutcome.FAIL, f"{number} {'are' if len(worse) > 1 else 'is'} worse: {', '.join(worse)}"
    if all(outcome is RuleOutcome.PASS for outcome in outcomes):
        return RuleOutcome.PASS, f"no rule is worse by more than its margin, judged by {_basis(judged)}"
    return RuleOutcome.INCONCLUSIVE, _undecided(judged, base, head)


def _outcome(rule: Compared) -> RuleOutcome | None:
    return None if rule.difference is None else rule.difference.outcome


def _basis(judged: Sequence[Compared]) -> str:
    bases = {rule.difference.basis for rule in judged if rule.difference is not None}
    return "the spread of past runs" if Basis.PAST_RUNS in bases else "the spread of the runs"


def _undecided(judged: Sequence[Compared], base: int, head: int) -> str:
    bases = {rule.difference.basis for rule in judged if rule.difference is not None}
    if Basis.NOTHING in bases:
        return (
            f"not judged, because one run on a side needs at least {MIN_PAST_RUNS} past runs of the same load on the "
            "same machine class; give several runs for each side, or use loadgate ab"
        )
    if Basis.RUNS in bases and (least := least_p_value(base, head)) > LEVEL:
        return (
            f"{count(head)} and {count(base)} runs are too few, because their smallest p-value is "
            f"{given(round(least, 3))}; give at least 4 runs for each side"
        )
    undecided = [rule.quantity.subject for rule in judged if _outcome(rule) is RuleOutcome.INCONCLUSIVE]
    return f"not precise enough: {', '.join(undecided)}; give more runs, or use loadgate ab"
