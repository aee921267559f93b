"""Whether a running test should be stopped now because a rule with `abort` can no longer pass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from loadgate.recorder import OVERALL, TimeSlot, Totals
from loadgate.rules.evaluate import EvaluationContext, evaluate_rule
from loadgate.rules.types import Interval, MetricKind, Rule, RuleOutcome, RuleResult, Unit
from loadgate.rules.view import RecorderView

LOOK_BACK_S = 30
"""How many seconds of windows one look goes over: more than ever passes between two looks."""


def abort_result(
    rules: Sequence[Rule], view: RecorderView, context: EvaluationContext, *, complete_until_s: int
) -> RuleResult | None:
    """The result of the first rule that asks for the run to stop, or None to go on.

    A rule with a window asks once a full window has broken it, since it must hold in each. A rule without one asks
    only when the end could hardly change it: a percentile or a share of failures when its limit lies outside the
    confidence interval, a count, minimum or maximum when it has crossed the limit. `complete_until_s` is the epoch
    second up to which all requests are known to have been reported (now, in one process; some seconds ago where
    workers report): later seconds are not looked at by rules with a window.
    """
    for rule in rules:
        if not rule.abort:
            continue
        seen = view if rule.window_s is None else recent_view(rule, view, complete_until_s)
        result = evaluate_rule(rule, seen, context)
        if result.outcome is RuleOutcome.FAIL and (rule.window_s is not None or _is_certain(rule, result.interval)):
            return replace(result, reason=f"the run was stopped early: {result.reason}")
    return None


def recent_view(rule: Rule, view: RecorderView, complete_until_s: int) -> RecorderView:
    """What a rule with a window sees of the last windows that are whole; looking costs the same in a long run."""
    return _Recent(view, complete_until_s - (rule.window_s or 0) - LOOK_BACK_S, complete_until_s)


def _is_certain(rule: Rule, interval: Interval | None) -> bool:
    is_share = rule.metric.kind is MetricKind.FAILURES and rule.unit is Unit.PERCENT
    if rule.metric.kind is MetricKind.PERCENTILE or is_share:
        return interval is not None and not interval.contains(rule.limit)
    return True


@dataclass(frozen=True, slots=True)
class _Recent:
    """A view whose seconds are those of the last windows only, so that looking every second stays cheap."""

    view: RecorderView
    since_s: int
    until_s: int

    def groups(self) -> list[str]:
        return self.view.groups()

    def names(self) -> list[str]:
        return self.view.names()

    def stages(self) -> list[str]:
        return self.view.stages()

    def totals(self, scope: str = OVERALL, stages: Collection[str] | None = None) -> Totals:
        return self.view.totals(scope, stages)

    def span_s(self) -> tuple[int, int] | None:
        span_s = self.view.span_s()
        return None if span_s is None else (span_s[0], self.until_s)

    def time_slots(
        self, scope: str = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        since_s = max(since_s, self.since_s)
        slots = self.view.time_slots(scope, stages, since_s)
        ran_before = sum(slot.totals.requests for slot in slots) < self.view.totals(scope, stages).requests
        if ran_before and not (slots and slots[0].start_s == since_s):
            # A scope that has fallen silent is not one that has not begun.
            slots.insert(0, TimeSlot(since_s, 1, Totals()))
        return [slot for slot in slots if slot.start_s + slot.width_s <= self.until_s]
