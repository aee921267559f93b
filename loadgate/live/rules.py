"""How the rules of a run stand while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from loadgate.recorder import RAMP
from loadgate.rules import EvaluationContext, Rule, RuleOutcome, RuleResult, evaluate_rule, recent_view
from loadgate.rules.evaluate import RecorderView


class LiveRules:
    """Judges the rules again and again. What one look costs does not grow with the length of the run.

    A rule with a window is judged over the last windows only, and stays broken once it was: it must hold in each.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._broken: dict[Rule, RuleResult] = {}

    def look(self, view: RecorderView, context: EvaluationContext, complete_until_s: int) -> list[RuleResult]:
        """Return how each rule stands now; seconds from `complete_until_s` on are not whole yet."""
        return [self._look_at(rule, view, context, complete_until_s) for rule in self._rules]

    def _look_at(self, rule: Rule, view: RecorderView, context: EvaluationContext, complete_until_s: int) -> RuleResult:
        if rule in self._broken:
            return self._broken[rule]
        if rule.window_s is None:
            return evaluate_rule(rule, view, context)
        result = evaluate_rule(rule, recent_view(rule, view, complete_until_s), context)
        # A latency that was broken in the ramp alone is not judged in the end.
        lasts = not rule.metric.kind.is_latency or result.stages != "all" or RAMP not in view.stages()
        if result.outcome is RuleOutcome.FAIL and lasts:
            self._broken[rule] = result
        return result
