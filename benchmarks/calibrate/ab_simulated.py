"""Simulates comparisons of two versions with a known difference, and counts the wrong conclusions.

    python -m benchmarks.calibrate.ab_simulated [--nulls 300] [--repeats 40]

Each comparison has 10 pairs of segments, and 10 more if it is then undecided. The rules limit p50, p95, p99, mean and
failures of one scope. It prints the false alarms of the test alone, the outcomes without a difference and with each
injected one, and a power curve. The exit code is 1 if a share is beyond its limit, as far as Wilson's 95 % interval
shows. The seeds are fixed, so the result is always the same.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from benchmarks.calibrate.ab_segments import BASE, INJECTIONS, RULES, Version, later, pairs, slower
from benchmarks.calibrate.growth import Check
from benchmarks.calibrate.program import run
from loadgate.analysis.ab.decision import significance
from loadgate.analysis.ab.judge import judge
from loadgate.analysis.ab.result import AbResult, Change
from loadgate.analysis.ab.segments import Comparison
from loadgate.analysis.decision import RuleOutcome

LOOKS = (10, 20)
COMPARISON = Comparison(RULES, looks=LOOKS)
HOG_FROM = 5.5
"""The pair in which another program starts to use the CPU, in the middle of the first 10."""

SMALL_PERCENT = 3
POWER_PERCENT = (2, 5, 10, 20)
FAST_SMALL, FAST_LARGE = later(0.3), later(1.0)
"""Changes of a fast route, one below and one above the absolute margin. Both are more than 10 %."""

LEAST_ALARMS, MOST_ALARMS = 0.03, 0.06
MOST_NULL_FAILS, LEAST_NULL_PASSES = 4 / 40, 34 / 40
LEAST_FOUND = 19 / 20


@dataclass(frozen=True, slots=True)
class Case:
    """A head, and the pair from which another program uses the CPU."""

    head: Version
    hog_from: float = math.inf

    def __str__(self) -> str:
        return self.head.name if math.isinf(self.hog_from) else f"{self.head.name}, CPU in use from the middle"


@dataclass(frozen=True, slots=True)
class Simulated:
    """The result of a comparison at both looks, also if the first one decided it."""

    looks: tuple[AbResult, ...]

    @property
    def conclusion(self) -> AbResult:
        """Return the result that the comparison ends with."""
        return next((look for look in self.looks if look.is_final), self.looks[-1])

    def fails_by_estimate(self) -> bool:
        """Return whether the comparison would fail if the estimate, not its lower bound, had to be above the margin."""
        for look in self.looks:
            level = significance(look.pairs, LOOKS)
            if any(_is_worse(rule) and rule.p_value is not None and rule.p_value <= level for rule in look.rules):
                return True
            if look.outcome is RuleOutcome.PASS:
                return False
        return False

    def alarms(self) -> list[bool]:
        """Return for each look whether the test alone finds any rule significant."""
        return [
            any(rule.p_value is not None and rule.p_value <= significance(look.pairs, LOOKS) for rule in look.rules)
            for look in self.looks
        ]


def _is_worse(rule: Change) -> bool:
    ignore, _ = COMPARISON.margins.of(rule.measure, rule.base)
    return rule.change is not None and rule.change >= ignore


def simulate(case: Case, seed: int) -> Simulated:
    """Return one comparison."""
    made = pairs(case.head, LOOKS[-1], seed, case.hog_from)
    return Simulated(tuple(judge(made[:look], COMPARISON) for look in LOOKS))


@dataclass(frozen=True, slots=True)
class Simulation:
    """All comparisons of a case."""

    case: Case
    comparisons: Sequence[Simulated]

    def share(self, outcome: RuleOutcome) -> float:
        """Return the share of the comparisons with an outcome."""
        return fmean(one.conclusion.outcome is outcome for one in self.comparisons)

    def faults(self, checks: Sequence[Check]) -> list[str]:
        """Return one line for each share that is beyond its limit."""
        broken = [check for check in checks if not check.holds(len(self.comparisons))]
        return [f"{self.case}: {check.value:.1%} {check.name}" for check in broken]


def false_alarms(simulation: Simulation) -> tuple[str, list[str]]:
    """Return the row of a case in the table of false alarms of the test, and what is beyond its limit."""
    alarms = [one.alarms() for one in simulation.comparisons]
    first, both = fmean(one[0] for one in alarms), fmean(any(one) for one in alarms)
    cells = (simulation.case, len(alarms), f"{100 * first:.1f} %", f"{100 * both:.1f} %")
    return _row(*cells), simulation.faults([Check("false alarms", both, MOST_ALARMS, LEAST_ALARMS)])


def outcomes(simulation: Simulation) -> tuple[str, list[str]]:
    """Return the row of a case in the table of outcomes, and what is beyond its limit."""
    passes, fails = simulation.share(RuleOutcome.PASS), simulation.share(RuleOutcome.FAIL)
    if simulation.case.head is BASE:
        checks = [Check("fail", fails, most=MOST_NULL_FAILS), Check("pass", passes, least=LEAST_NULL_PASSES)]
    elif simulation.case.head == FAST_SMALL:
        checks = [Check("fail", fails, most=0.0), Check("pass", passes, least=LEAST_NULL_PASSES)]
    elif simulation.case.head in (*INJECTIONS, FAST_LARGE):
        checks = [Check("fail", fails, least=LEAST_FOUND)]
    else:
        checks = [Check("fail", fails, most=0.0)]
    used = fmean(one.conclusion.pairs for one in simulation.comparisons)
    shares = (f"{100 * share:.1f} %" for share in (passes, simulation.share(RuleOutcome.INCONCLUSIVE), fails))
    estimate = f"{100 * fmean(one.fails_by_estimate() for one in simulation.comparisons):.1f} %"
    cells = (simulation.case, len(simulation.comparisons), *shares, estimate, f"{used:.1f}")
    return _row(*cells), simulation.faults(checks)


def power(simulation: Simulation) -> str:
    """Return the row of a case in the table of power: how often a comparison fails, and each rule at the last look."""
    last = [one.looks[-1] for one in simulation.comparisons]
    by_rule = (fmean(look.rules[rule].outcome is RuleOutcome.FAIL for look in last) for rule in range(len(RULES)))
    shares = (f"{100 * share:.1f} %" for share in (simulation.share(RuleOutcome.FAIL), *by_rule))
    return _row(simulation.case, len(last), *shares)


def detected(simulation: Simulation) -> str:
    """Return the mean of the changes that each rule says it would find at the last look."""
    shown = []
    for rule, measure in enumerate(RULES):
        found = fmean(one.looks[-1].rules[rule].detectable or math.nan for one in simulation.comparisons)
        shown.append(f"{measure.metric} {100 * found:.2f} %")
    return "found with a probability of 80 % by 20 pairs, by their own estimate: " + ", ".join(shown)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _head(*cells: str) -> str:
    return f"\n{_row(*cells)}\n{_row('---', *['---:'] * (len(cells) - 1))}"


def report(nulls: Sequence[Simulation], changed: Sequence[Simulation], curve: Sequence[Simulation]) -> list[str]:
    """Print the tables, and return what is beyond its limit."""
    faults: list[str] = []
    print(_head("no change: false alarms of the test alone, level 5 %", "comparisons", "first look", "both looks"))
    for simulation in nulls:
        row, broken = false_alarms(simulation)
        faults += broken
        print(row)
    print(_head("head", "comparisons", "pass", "inconclusive", "fail", "by the estimate", "pairs"))
    for simulation in (*nulls, *changed):
        row, broken = outcomes(simulation)
        faults += broken
        print(row)
    print(_head("fails", "comparisons", "comparison", *(measure.metric for measure in RULES)))
    for simulation in curve:
        print(power(simulation))
    print(f"\n{detected(nulls[0])}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nulls", type=int, default=300, help="comparisons of each case without a difference")
    parser.add_argument("--repeats", type=int, default=40, help="comparisons of each other case")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.nulls < 1 or options.repeats < 1 or options.processes < 1:
        parser.error("all options must be at least 1")
    nulls = [Case(BASE), Case(BASE, HOG_FROM)]
    changed = [Case(head) for head in (slower(SMALL_PERCENT), *INJECTIONS, FAST_SMALL, FAST_LARGE)]
    curve = [Case(slower(percent)) for percent in POWER_PERCENT]
    found: dict[str, Simulation] = {}
    with ProcessPoolExecutor(options.processes) as pool:
        for case in (*nulls, *changed, *curve):
            if str(case) not in found:
                seeds = range(options.nulls if case in nulls else options.repeats)
                found[str(case)] = Simulation(case, list(pool.map(partial(simulate, case), seeds)))
    faults = report(*([found[str(case)] for case in cases] for cases in (nulls, changed, curve)))
    print("\n" + ("\n".join(faults) if faults else "every share is within its limit"))
    return 1 if faults else 0


if __name__ == "__main__":
    run(main)
