"""The results of the rules during a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from loadgate.recorder import OVERALL, InFlight, Recorder, TimeSlot, Totals
from loadgate.rules import EvaluationContext, Rule, RuleOutcome, RuleResult, evaluate_rule, is_steady, recent_view


class LiveRules:
    """Evaluates the rules repeatedly, at a cost that does not grow with the length of the run.

    Rules that are known only at the end of the run are omitted. A rule with a window is evaluated for the latest
    windows only. If it has failed once, it stays failed, because it must hold in every window.
    """

    def __init__(self, rules: Sequence[Rule], recorder: Recorder) -> None:
        self._rules = [rule for rule in rules if not rule.is_known_at_end]
        self.figures = GrowingView(recorder)
        self._failed: dict[Rule, RuleResult] = {}

    def results(
        self, context: EvaluationContext, complete_until_s: int, between: Callable[[], None]
    ) -> list[RuleResult]:
        """Return the result of each rule for the requests that ended before `complete_until_s`.

        `between` is called after each rule, so that a process that generates load can read responses.
        """
        self.figures.advance(complete_until_s)
        results = []
        for rule in self._rules:
            results.append(self._result(rule, context, complete_until_s))
            between()
        return results

    def _result(self, rule: Rule, context: EvaluationContext, complete_until_s: int) -> RuleResult:
        view = self.figures
        if rule in self._failed:
            return self._failed[rule]
        if rule.window_s is None:
            return evaluate_rule(rule, view, context)
        result = evaluate_rule(rule, recent_view(rule, view, complete_until_s), context)
        # A latency rule that fails only in the ramp can still pass: the final evaluation excludes the ramp.
        is_final = not rule.metric.kind.is_latency or result.stages != "all" or is_steady(view)
        if result.outcome is RuleOutcome.FAIL and is_final:
            self._failed[rule] = result
        return result


class GrowingView:
    """The totals of a recorder's complete seconds, updated with only the new seconds at each call of `advance`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._until_s = 0
        self._sums: dict[tuple[str, str], _Sum] = {}

    def advance(self, until_s: int) -> None:
        """Include the seconds before `until_s`."""
        self._until_s = max(self._until_s, until_s)

    def groups(self) -> list[str]:
        """See `RecorderView`."""
        return self._recorder.groups()

    def names(self) -> list[str]:
        """See `RecorderView`."""
        return self._recorder.names()

    def stages(self) -> list[str]:
        """See `RecorderView`."""
        return self._recorder.stages()

    def span_s(self) -> tuple[int, int] | None:
        """See `RecorderView`."""
        return self._recorder.span_s()

    def requests_between(self, first_s: int, end_s: int) -> int:
        """See `RecorderView`."""
        return self._recorder.requests_between(first_s, end_s)

    def in_flight(self, scope: str = OVERALL) -> list[InFlight]:
        """See `RecorderView`."""
        return self._recorder.in_flight(scope)

    def totals(self, scope: str = OVERALL, stages: Collection[str] | None = None) -> Totals:
        """See `RecorderView`."""
        if self._recorder.is_measure(scope):
            # A measure can belong to an earlier second that is already included, such as the first token of a stream.
            return self._recorder.totals(scope, stages)
        return Totals.sum(self._sum(scope, stage) for stage in (self.stages() if stages is None else stages))

    def _sum(self, scope: str, stage: str) -> Totals:
        known = self._sums.setdefault((scope, stage), _Sum())
        if known.until_s < self._until_s:
            slots = self._recorder.time_slots(scope, [stage], known.until_s)
            new = (slot.totals for slot in slots if slot.start_s < self._until_s)
            known.totals = Totals.sum((known.totals, *new))
            known.until_s = self._until_s
        return known.totals

    def time_slots(
        self, scope: str = OVERALL, stages: Collection[str] | None = None, since_s: int = 0
    ) -> list[TimeSlot]:
        """See `RecorderView`."""
        return self._recorder.time_slots(scope, stages, since_s)


@dataclass(slots=True)
class _Sum:
    """The totals of one scope and stage before `until_s`."""

    totals: Totals = field(default_factory=Totals)
    until_s: int = 0
