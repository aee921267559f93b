"""Judge measured stubs by the rules of the load gate, and compare the results with what the stubs really do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.calibrate.leaks.measuring import RESOURCE, Measured, Subject
from benchmarks.calibrate.stubs.modes import MODES
from loadgate.analysis.growth.kind import Cause, GrowthKind
from loadgate.analysis.growth.text import kind_clause
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, WholeRun, evaluate, parse_rules

LOW_LIMITS = (
    "memory growth < 5MB/h",
    *(f"{count} growth < 10/h" for count in ("open_files", "threads", "connections")),
)
"""The limits that suit a run of 30 minutes. In 5 minutes they are the harder ones for what does not leak."""

LIMITS = ("memory growth < 40MB/h", *(f"{count} growth < 40/h" for count in ("open_files", "threads", "connections")))
"""The limits that 5 minutes decide, and the harder ones for a leak."""

MIN_FOUND, MIN_KIND = 0.95, 0.9

_GROWS = {
    "python": {"memory"},
    "native": {"memory"},
    "open_files": {"open_files"},
    # Each thread has a stack.
    "threads": {"threads", "memory"},
    # Each connection is an open file.
    "connections": {"connections", "open_files"},
    "": set[str](),
}
"""The quantities that grow without end, by what leaks."""

_CAUSES = {"python": Cause.PYTHON, "native": Cause.NATIVE}


@dataclass(frozen=True, slots=True)
class Judged:
    """The results of a stub. `low` are those of LOW_LIMITS, `results` those of LIMITS."""

    subject: Subject
    low: tuple[RuleResult, ...]
    results: tuple[RuleResult, ...]

    @property
    def leaked(self) -> list[RuleResult]:
        """Return the results of the quantity that leaks."""
        leaks = MODES[self.subject.mode].leaks
        quantity = "memory" if leaks in _CAUSES else leaks
        return [result for result in (*self.low, *self.results) if result.rule.metric.quantity == quantity]

    @property
    def is_found(self) -> bool:
        """Return whether the leak breaks its low limit and its limit."""
        return bool(self.leaked) and all(result.outcome is RuleOutcome.FAIL for result in self.leaked)

    @property
    def has_right_kind(self) -> bool:
        """Return whether the leak was found, where it is, and only there. A leak of memory has a cause in addition."""
        cause = _CAUSES.get(MODES[self.subject.mode].leaks)
        text = "" if cause is None else kind_clause(GrowthKind(cause))
        return self.is_found and not self.false_fails and all(text in result.reason for result in self.leaked)

    @property
    def false_fails(self) -> list[RuleResult]:
        """Return the broken limits of quantities that do not grow without end."""
        grows = _GROWS[MODES[self.subject.mode].leaks]
        failed = (result for result in (*self.low, *self.results) if result.outcome is RuleOutcome.FAIL)
        return [result for result in failed if result.rule.metric.quantity not in grows]

    @property
    def without_growth(self) -> list[RuleResult]:
        """Return the results without a value: what was not measured for long enough could not fail."""
        return [result for result in (*self.low, *self.results) if result.value is None]

    @property
    def outcome(self) -> RuleOutcome:
        """Return fail if a limit is broken, low or not; inconclusive if one of LIMITS is undecided; else pass."""
        if any(result.outcome is RuleOutcome.FAIL for result in (*self.low, *self.results)):
            return RuleOutcome.FAIL
        passed = all(result.outcome is RuleOutcome.PASS for result in self.results)
        return RuleOutcome.PASS if passed else RuleOutcome.INCONCLUSIVE


def judge(measured: Measured) -> Judged:
    """Return the results of a stub."""
    run = WholeRun(measured.resources, stages=(), load_s=measured.load_s)
    context = EvaluationContext(load_s=measured.load_s, whole_run=run)
    rules = parse_rules(f"{RESOURCE}: {text}" for text in (*LOW_LIMITS, *LIMITS))
    results = evaluate(rules, measured.requests, context).results
    return Judged(measured.subject, results[: len(LOW_LIMITS)], results[len(LOW_LIMITS) :])


@dataclass(frozen=True, slots=True)
class Row:
    """The results of all stubs in one mode."""

    mode: str
    judged: Sequence[Judged]

    def __str__(self) -> str:
        runs, leaks = len(self.judged), bool(MODES[self.mode].leaks)
        found = f"{sum(one.is_found for one in self.judged)} of {runs}" if leaks else ""
        kind = f"{sum(one.has_right_kind for one in self.judged)} of {runs}" if leaks else ""
        false = sum(bool(one.false_fails) for one in self.judged)
        outcomes = [one.outcome for one in self.judged]
        undecided, passed = (outcomes.count(outcome) for outcome in (RuleOutcome.INCONCLUSIVE, RuleOutcome.PASS))
        return f"| {self.mode} | {runs} | {found} | {kind} | {false} | {undecided} | {passed} |"

    def misses(self) -> list[str]:
        """Return the limits of the proof that the mode misses, each with the results that are to blame."""
        missed: list[str] = []
        for one in self.judged:
            missed += [f"{one.subject}: no growth for {result.rule}: {result.reason}" for result in one.without_growth]
            missed += [f"{one.subject}: false fail of {result.rule}: {result.reason}" for result in one.false_fails]
        if not MODES[self.mode].leaks:
            return missed
        for what, least, wrong in (
            ("found", MIN_FOUND, [one for one in self.judged if not one.is_found]),
            ("kind right", MIN_KIND, [one for one in self.judged if not one.has_right_kind]),
        ):
            runs, needed = len(self.judged), math.ceil(least * len(self.judged))
            if runs - len(wrong) < needed:
                missed.append(f"{self.mode}: {what} in {runs - len(wrong)} of {runs} runs, {needed} are needed")
                missed += [f"  {one.subject}: {result.reason}" for one in wrong for result in one.leaked]
        return missed


def rows(judged: Sequence[Judged]) -> list[Row]:
    """Return a row for each mode that was measured."""
    return [Row(mode, own) for mode in MODES if (own := [one for one in judged if one.subject.mode == mode])]
