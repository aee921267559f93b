"""Which rules decide whether a rate is sustained, as shares of bad requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgate.analysis.capacity.trial import Criterion, Second
from loadgate.analysis.windows import fill_gaps
from loadgate.recorder import OVERALL, Recorder, Totals
from loadgate.report.capacity.document import UnjudgedRule
from loadgate.rules import MetricKind, Rule, Unit, parse_rules

FAILURES = "overall: failures < 2%"
"""Judged if the profile has no rule on the failures of all requests: failed requests are not sustained."""


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """A rule and its criterion."""

    rule: Rule
    criterion: Criterion

    @property
    def limit_ms(self) -> float | None:
        """Return the latency above which a request is bad. None for a rule on failures."""
        return self.rule.limit if self.rule.metric.kind is MetricKind.PERCENTILE else None

    def seconds(self, recorder: Recorder, stages: Iterable[str]) -> tuple[Second, ...]:
        """Return the requests of these stages, by the second in which they ended."""
        slots = recorder.time_slots(self.rule.scope, set(stages))
        if not slots:
            return ()
        filled = fill_gaps(slots, slots[0].start_s, slots[-1].start_s + slots[-1].width_s)
        return tuple(self._second(slot.totals) for slot in filled)

    def _second(self, totals: Totals) -> Second:
        if self.limit_ms is None:
            return Second(totals.requests, totals.failures)
        return Second(totals.success.count, totals.success.count_above(self.limit_ms))


def capacity_rules(texts: Sequence[str]) -> list[Rule]:
    """Return the rules on the capacity itself, such as `capacity >= 150/s`."""
    return [rule for text in texts for rule in parse_rules(text) if rule.needs_search]


def judged_rules(texts: Sequence[str]) -> tuple[list[JudgedRule], list[UnjudgedRule]]:
    """Return the rules that decide whether a rate holds, and those that cannot, with the reason."""
    judged: dict[str, JudgedRule] = {}
    unjudged = []
    for text in texts:
        (rule,) = parse_rules(text)
        if rule.needs_search:
            continue
        if reason := _unfit(rule):
            unjudged.append(UnjudgedRule(rule=text, reason=reason))
        else:
            judged[text] = JudgedRule(rule, Criterion(text, _share(rule)))
    if not any(item.rule.scope == OVERALL and item.limit_ms is None for item in judged.values()):
        (rule,) = parse_rules(FAILURES)
        judged[FAILURES] = JudgedRule(rule, Criterion(FAILURES, _share(rule)))
    return list(judged.values()), unjudged


def _unfit(rule: Rule) -> str:
    """Return why a rule cannot be judged at a rate, one clause. "" if it can."""
    kind = rule.metric.kind
    is_share = kind is MetricKind.PERCENTILE or (kind is MetricKind.FAILURES and rule.unit is Unit.PERCENT)
    if rule.compared_with or not is_share or not rule.operator.bounds_from_above:
        return "only upper limits of percentiles and of the percentage of failures are judged"
    if rule.stage:
        return "a trial has no stages"
    return "a window is shorter than a trial" if rule.window_s else ""


def _share(rule: Rule) -> float:
    return rule.limit / 100 if rule.metric.kind is MetricKind.FAILURES else round(1 - rule.metric.quantile, 12)
