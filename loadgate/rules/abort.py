"""Decide whether to stop a running test because a rule with `abort` can no longer pass."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.interval import Interval
from loadgate.recorder import OVERALL, InFlight, TimeSlot, Totals
from loadgate.rules.context import EvaluationContext
from loadgate.rules.dependence import RunBatches
from loadgate.rules.evaluate import evaluate_rule
from loadgate.rules.readings import has_interval
from loadgate.rules.types import Rule, RuleResult
from loadgate.rules.view import RecorderView

LOOK_BACK_S = 30
"""Each check reads the windows that ended within this time. The time between two checks is much shorter."""


def abort_result(
    rules: Sequence[Rule], view: RecorderView, context: EvaluationContext, *, complete_until_s: int
) -> RuleResult | None:
    """Return the result of the first rule that stops the run, or None if the run continues.

    A rule with a window stops the run when a full window breaks the rule. A rule without a window stops the run when
    the rest of the run is unlikely to change the result: for a percentile or a failure rate, when the limit lies
    outside the confidence interval; for a count, a minimum or a maximum, when it has crossed its limit.

    `complete_until_s` is the epoch second before which all requests have been reported. In a single process it is the
    current second, and with workers it is some seconds earlier. Rules with a window ignore the seconds after it.

    With `abort_batches` in the context, the cost of a check does not grow with the length of the run.
    """
    for rule in rules:
        if not rule.abort:
            continue
        seen = view if rule.window_s is None else recent_view(rule, view, complete_until_s)
        # Most checks end here, without the cost of an interval.
        if evaluate_rule(rule, seen, replace(context, intervals=False)).outcome is not RuleOutcome.FAIL:
            continue
        result = evaluate_rule(rule, seen, context)
        if result.outcome is RuleOutcome.FAIL and (rule.window_s is not None or _is_certain(rule, result.interval)):
            return replace(result, reason=f"the run was stopped early: {result.reason}")
    return None


def abort_batches(rules: Sequence[Rule], view: RecorderView) -> RunBatches:
    """Return the batches that the rules with `abort` need. Call their `advance` before each check."""
    return RunBatches(view, [rule for rule in rules if rule.abort and rule.window_s is None and has_interval(rule)])


def recent_view(rule: Rule, view: RecorderView, complete_until_s: int) -> RecorderView:
    """Return a view of the latest full windows only, so that a check costs the same at any time of a long run."""
    return _Recent(view, complete_until_s - (rule.window_s or 0) - LOOK_BACK_S, complete_until_s)


def _is_certain(rule: Rule, interval: Interval | None) -> bool:
    return not has_interval(rule) or (interval is not None and not interval.contains(rule.limit))


@dataclass(frozen=True, slots=True)
class _Recent:
    """A view that holds only the seconds from `since_s` to `until_s`."""

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

    def requests_between(self, first_s: int, end_s: int) -> int:
        return self.view.requests_between(max(first_s, self.since_s), min(end_s, self.until_s))

    def in_flight(self, scope: str = OVERALL) -> list[InFlight]:
        return [slot for slot in self.view.in_flight(scope) if self.since_s <= slot.start_s < self.until_s]

    def time_slots(
        self, scope: str = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        since_s = max(since_s, self.since_s)
        slots = self.view.time_slots(scope, stages, since_s)
        ran_before = sum(slot.totals.requests for slot in slots) < self.view.totals(scope, stages).requests
        if ran_before and not (slots and slots[0].start_s == since_s):
            # The scope has earlier requests, so a missing first slot is a second without requests.
            slots.insert(0, TimeSlot(since_s, 1, Totals()))
        return [slot for slot in slots if slot.start_s + slot.width_s <= self.until_s]
