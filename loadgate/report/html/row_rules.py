"""The rules that apply to a row of the table of requests, and the share that its requests have in a breach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.recorder import OVERALL
from loadgate.report.text import rule_limit_value, rule_subject
from loadgate.rules import RuleOutcome, Unit
from loadgate.run.document import RuleRecord, ScopeFigures, TotalFigures
from loadgate.run.document.figures import NameFigures
from loadgate.units import count


@dataclass(frozen=True, slots=True)
class BreachShare:
    """The share of a row in the requests that count against a failed rule, from 0 to 1."""

    share: float
    title: str


class RowRules:
    """The rules on latencies and failures of a run, by the rows to which they apply."""

    def __init__(self, rules: Iterable[RuleRecord], totals: TotalFigures) -> None:
        self._rules = [rule for rule in rules if _is_about_requests(rule)]
        self._totals = totals
        self._names = [figures for figures in totals.requests if figures.kind == "request"]

    @property
    def has_limits(self) -> bool:
        """Return whether any rule applies to a row."""
        return bool(self._rules)

    @property
    def has_breaches(self) -> bool:
        """Return whether a rule failed."""
        return any(rule.outcome is RuleOutcome.FAIL for rule in self._rules)

    def of(self, kind: str, group: str, name: str) -> Sequence[RuleRecord]:
        """Return the rules of a row: those of its own name or, without one, those of its group."""
        own = [rule for rule in self._rules if rule.scope == name]
        return own or [rule for rule in self._rules if kind == "request" and group and rule.scope == group]

    def share(self, kind: str, group: str, name: str, figures: ScopeFigures) -> BreachShare | None:
        """Return the largest share of a row in the breach of a failed rule. None if no failed rule reads the row."""
        scopes = {name, OVERALL} | ({group} if kind == "request" and group else set())
        failed = [rule for rule in self._rules if rule.outcome is RuleOutcome.FAIL and rule.scope in scopes]
        shares = [self._share(rule, figures) for rule in failed]
        return max(filter(None, shares), key=lambda found: found.share, default=None)

    def _share(self, rule: RuleRecord, figures: ScopeFigures) -> BreachShare | None:
        against, total = _against(rule, figures), _against(rule, self._scope(rule.scope))
        if not total:
            return None
        what = "failures" if rule.unit is not Unit.MS else f"requests above {rule_limit_value(rule)}"
        title = f"{rule_subject(rule)}: {count(against)} of {count(total)} {what} in the whole run"
        return BreachShare(min(1.0, against / total), title)

    def _scope(self, scope: str) -> ScopeFigures:
        if scope == OVERALL:
            return self._totals.overall
        named: dict[str, NameFigures] = {figures.name: figures for figures in self._totals.requests}
        return self._totals.groups.get(scope) or named.get(scope) or self._totals.overall


def _is_about_requests(rule: RuleRecord) -> bool:
    is_of_requests = rule.unit is Unit.MS or rule.metric == "failures"
    return is_of_requests and rule.operator.bounds_from_above and rule.compared_with is None


def _against(rule: RuleRecord, figures: ScopeFigures) -> int:
    return figures.success_sketch().count_above(rule.limit) if rule.unit is Unit.MS else figures.failures
