"""The conclusion of a comparison from all pairs that were measured so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from loadgate.analysis.ab import text
from loadgate.analysis.ab.decision import RuleTest, significance
from loadgate.analysis.ab.estimate import Estimate, Limits, Scope, as_change, by_pair, estimate, scope_of, value
from loadgate.analysis.ab.faults import Faults
from loadgate.analysis.ab.guards import guards
from loadgate.analysis.ab.permutation import Flip, adjusted_p_values, discoveries, flips, p_value, statistics
from loadgate.analysis.ab.power import detectable
from loadgate.analysis.ab.result import AbResult, Change, Guard, NameChange
from loadgate.analysis.ab.segments import Comparison, Margins, Measure, MeasureKind, Pair
from loadgate.analysis.decision import RuleOutcome

NAME_PERCENTILE = 95.0
FALSE_DISCOVERIES = 0.05


def judge(pairs: Sequence[Pair], comparison: Comparison) -> AbResult:
    """Return the conclusion from all pairs, in the order of their measurement.

    Pairs with a segment that cannot be compared are left out of all changes, see `faults`. A comparison whose guard is
    broken is inconclusive, also if a rule fails: the sides were not measured in the same way.
    Raises ValueError for looks that are not one or two ascending numbers.
    """
    measured, faults = _Measured(pairs), Faults.of(pairs)
    number = len(measured.compared)
    level = significance(number, comparison.looks)
    found = guards(pairs, comparison.looks[0])
    rules = _rules(measured, comparison, level)
    outcome, reason = _conclusion(rules, found, comparison.margins, number)
    if faults.is_regression:
        outcome, reason = RuleOutcome.FAIL, text.faulty(faults.head, len(pairs), _first_fault(pairs))
    return AbResult(
        outcome=outcome,
        reason=reason,
        is_final=number >= comparison.looks[-1] or not _is_open(outcome, rules, found),
        pairs=number,
        rules=rules,
        others=tuple(_others(measured, comparison, level)),
        names=tuple(_names(measured, comparison.names)),
        guards=found,
    )


@dataclass(frozen=True)
class _Measured:
    """The pairs, and their counts by scope."""

    pairs: Sequence[Pair]
    _scopes: dict[tuple[str, bool], Scope] = field(default_factory=dict)

    @cached_property
    def compared(self) -> list[Pair]:
        """Return the pairs that can be compared."""
        return [pair for pair in self.pairs if pair.can_be_compared]

    @cached_property
    def flips(self) -> list[Flip]:
        return flips(len(self.compared))

    def scope(self, measure: Measure) -> Scope:
        """Return what a measure is computed from."""
        key = (measure.scope, measure.kind is MeasureKind.MEMORY)
        if key not in self._scopes:
            self._scopes[key] = scope_of(self.compared, measure)
        return self._scopes[key]

    def estimates(self, measures: Iterable[Measure]) -> dict[Measure, Estimate | str]:
        """Return the estimate of each measure, or why it has none."""
        return {measure: estimate(self.scope(measure), measure) for measure in measures}

    def statistics(self, measures: Iterable[Measure]) -> dict[Measure, list[float]]:
        """Return the statistic of each measure under each flip."""
        by_scope: dict[Scope, list[Measure]] = {}
        for measure in measures:
            by_scope.setdefault(self.scope(measure), []).append(measure)
        found: dict[Measure, list[float]] = {}
        for scope, members in by_scope.items():
            found |= zip(members, statistics(scope, members, self.flips), strict=True)
        return found

    def changes(self, measure: Measure) -> tuple[float | None, ...]:
        """Return the change of each pair. None where a side has no value, or where the pair cannot be compared."""
        known = iter(by_pair(self.scope(measure), measure))
        return tuple(next(known) if pair.can_be_compared else None for pair in self.pairs)


def _rules(measured: _Measured, comparison: Comparison, level: float) -> tuple[Change, ...]:
    """Return the changes of the rules. Equal measures are compared once."""
    estimates = measured.estimates(comparison.rules)
    rows = measured.statistics(measure for measure, found in estimates.items() if isinstance(found, Estimate))
    p_values = dict(zip(rows, adjusted_p_values(list(rows.values())), strict=True))
    return tuple(
        _change(measured, found, comparison.margins, level, (p_values[measure], len(rows)))
        if isinstance(found, Estimate)
        else _unknown(measured, measure, found)
        for measure, found in estimates.items()
    )


def _others(measured: _Measured, comparison: Comparison, level: float) -> Iterator[Change]:
    """Return the measures that do not affect the outcome. They pass if too large a change is excluded; none fails."""
    for measure, found in measured.estimates(comparison.others).items():
        if isinstance(found, Estimate):
            yield _change(measured, found, comparison.margins, level)
        else:
            yield _unknown(measured, measure, found)


def _change(
    measured: _Measured, found: Estimate, margins: Margins, level: float, tested: tuple[float, int] | None = None
) -> Change:
    """Return a change. `tested` is the adjusted p-value of a rule, and the number of rules that were tested."""
    adjusted, rules = tested or (None, 1)
    test = RuleTest(Limits.of(found.measure, margins, found.base), level, rules)
    outcome, smallest = test.outcome(found, adjusted), detectable(found, test)
    change = Change(
        measure=found.measure,
        base=found.base,
        head=found.head,
        change=found.change,
        interval=found.interval(),
        p_value=adjusted,
        pairs=measured.changes(found.measure),
        detectable=None if smallest is None else as_change(found.measure, smallest),
        more_pairs=test.more_pairs(found) if tested and outcome is RuleOutcome.INCONCLUSIVE else None,
        outcome=outcome,
        reason="",
    )
    return replace(change, reason=text.reason(change, margins, is_above_ignore=test.is_above_ignore(found)))


def _unknown(measured: _Measured, measure: Measure, reason: str) -> Change:
    sides = measured.scope(measure).whole()
    return Change(
        measure=measure, base=value(measure, sides.base), head=value(measure, sides.head), change=None, interval=None,
        p_value=None, pairs=measured.changes(measure), detectable=None, more_pairs=None,
        outcome=RuleOutcome.INCONCLUSIVE, reason=reason,
    )  # fmt: skip


def _names(measured: _Measured, names: Iterable[str]) -> list[NameChange]:
    """Return the change of the p95 of each request name that has one. The names are tested together, without rules."""
    measures = [Measure(name, MeasureKind.PERCENTILE, NAME_PERCENTILE) for name in names]
    known = {measure: found for measure, found in measured.estimates(measures).items() if isinstance(found, Estimate)}
    p_values = {measure: p_value(row) for measure, row in measured.statistics(known).items()}
    real = dict(zip(p_values, discoveries(list(p_values.values()), FALSE_DISCOVERIES), strict=True))
    return [
        NameChange(measure.scope, found.base, found.head, found.change, found.interval(), real[measure])
        for measure, found in known.items()
    ]


def _conclusion(
    rules: Sequence[Change], found: Sequence[Guard], margins: Margins, pairs: int
) -> tuple[RuleOutcome, str]:
    """Return the outcome of the comparison, and the sentence about it."""
    broken = next((guard for guard in found if guard.is_broken), None)
    if broken:
        return RuleOutcome.INCONCLUSIVE, broken.sentence[:1].lower() + broken.sentence[1:].removesuffix(".")
    if not pairs:
        return RuleOutcome.INCONCLUSIVE, "no pair was measured"
    if not rules:
        return RuleOutcome.INCONCLUSIVE, "the suite has no rule to compare"
    failing = [rule for rule in rules if rule.outcome is RuleOutcome.FAIL]
    if failing:
        return RuleOutcome.FAIL, text.failed(max(failing, key=partial(_share, margins)), len(failing))
    undecided = [rule for rule in rules if rule.outcome is RuleOutcome.INCONCLUSIVE]
    if undecided:
        return RuleOutcome.INCONCLUSIVE, text.inconclusive(undecided, len(rules))
    return RuleOutcome.PASS, text.passed(max(rules, key=partial(_share, margins)), margins, len(rules))


def _first_fault(pairs: Sequence[Pair]) -> str:
    return next(pair.head.problem for pair in pairs if pair.head.is_fault)


def _share(margins: Margins, rule: Change) -> float:
    """Return the upper end of an interval as a share of its margin."""
    high = rule.interval.high if rule.interval else None
    _, worse = margins.of(rule.measure, rule.base)
    return 0.0 if high is None else high / worse


def _is_open(outcome: RuleOutcome, rules: Sequence[Change], found: Sequence[Guard]) -> bool:
    """Return whether more pairs could decide: no guard is broken, and both sides have values of an undecided rule."""
    return (
        outcome is RuleOutcome.INCONCLUSIVE
        and not any(guard.is_broken for guard in found)
        and any(
            rule.outcome is RuleOutcome.INCONCLUSIVE and rule.base is not None and rule.head is not None
            for rule in rules
        )
    )
