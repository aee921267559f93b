"""Simulates searches for a capacity that is known, and counts the bounds that are wrong.

    python -m benchmarks.calibrate.capacity_simulated [--searches 10000] [--processes 2]

A bound is wrong if the lower one is above the capacity, or the upper one is not above it. All bounds count, also those
of a search that ended before they were close. The exit code is 1 if more than 2 % of the searches have a wrong bound,
or if a special case does not end as it must. The seeds are fixed, so the result is always the same.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from statistics import fmean, median, quantiles

from benchmarks.calibrate.growth import Check
from benchmarks.calibrate.queues import RULE, Queue, cliff, even, hyperexponential, markov, pool
from loadgate.analysis.capacity.plan import End, Ending, NextTrial, SearchPlan
from loadgate.analysis.capacity.search import Search
from loadgate.analysis.capacity.trial import Trial, Void

STARTING_S = 5.0
WIDTH = 0.05
MOST_WRONG = 0.02

QUEUES = (
    markov("M/M/1", 1, 1 / 80, 0.12),
    markov("M/M/4", 4, 4 / 120, 0.2),
    hyperexponential("M/G/1", ((0.9, 0.006), (0.1, 0.03)), 0.16),
    even("D/M/1", 1 / 100, 0.12),
    even("D/E4/1", 1 / 420, 0.1, phases=4),
    pool("pool of 6 slots", 6, 0.1, 0.2),
    cliff("cliff", 57.0, 0.1),
)

GENERATOR_PER_S = 50.0
"""The rate above which the generator of a special case is saturated."""

RECOVERY_S = 45.0
"""The time for which the target of a special case stays slow after a break."""


class Target:
    """A target that stays slow after a break, unless each trial has a fresh one, and a generator with a limit."""

    def __init__(self, queue: Queue, seed: int, recovery_s: float = 0.0, most_per_s: float = float("inf")) -> None:
        self._queue, self._random = queue, Random(seed)  # noqa: S311 - no secret
        self._recovery_s, self._most_per_s = recovery_s, most_per_s
        self._now_s = self._slow_until_s = 0.0

    def measure(self, step: NextTrial, settle_s: float) -> tuple[Trial, float]:
        """Return what a trial measures, and how long it takes in all."""
        took_s = step.rest_s + settle_s + step.length_s + STARTING_S
        if step.rate_per_s > self._most_per_s:
            return Trial(step.rate_per_s, step.length_s, void=Void("saturated", by_generator=True)), took_s
        queue = self._queue
        trial = queue.trial(step.rate_per_s, step.length_s, settle_s, self._random)
        recovers_s = math.ceil(self._slow_until_s - self._now_s - step.rest_s - settle_s)
        if recovers_s > 0:
            slow = replace(queue, limit_s=0.0).trial(step.rate_per_s, step.length_s, settle_s, self._random)
            parts = {rule: slow.seconds[rule][:recovers_s] + rest[recovers_s:] for rule, rest in trial.seconds.items()}
            trial = replace(trial, seconds=parts)
        self._now_s += took_s
        if step.rate_per_s > queue.capacity_per_s:
            self._slow_until_s = self._now_s + self._recovery_s
        return trial, took_s


@dataclass(frozen=True, slots=True)
class Simulated:
    """A search that has ended. `target_per_s` is the capacity that it searched."""

    end: End
    target_per_s: float
    took_s: float
    trials: int

    @property
    def is_wrong(self) -> bool:
        """Return whether a bound is on the wrong side."""
        holds, breaks = self.end.holds, self.end.breaks
        return (holds or 0.0) > self.target_per_s or (breaks is not None and breaks <= self.target_per_s)

    @property
    def width(self) -> float | None:
        """Return the distance of the bounds. None if one is missing."""
        holds, breaks = self.end.holds, self.end.breaks
        return breaks / holds - 1 if holds and breaks else None


def searched(plan: SearchPlan, target: Target, capacity_per_s: float) -> Simulated:
    """Carry out a search."""
    search, took_s, trials = Search(plan), 0.0, 0
    while isinstance(step := search.step(), NextTrial):
        trial, lasted_s = target.measure(step, plan.settle_s)
        search.add(step, trial, lasted_s)
        took_s, trials = took_s + lasted_s, trials + 1
    return Simulated(step, capacity_per_s, took_s, trials)


def simulate(number: int, seed: int) -> Simulated:
    """Return a search of QUEUES[number]. Its first rate depends on the seed, so that the rates differ."""
    queue = QUEUES[number]
    first = round(4 * 2 ** Random(seed).random(), 3)  # noqa: S311 - no secret
    return searched(SearchPlan((RULE,), first=first, width=WIDTH), Target(queue, seed), queue.capacity_per_s)


@dataclass(frozen=True, slots=True)
class Special:
    """A special case: how it must end, apart from its bounds, and a search."""

    name: str
    ending: Ending
    search: Callable[[int], Simulated]

    def __str__(self) -> str:
        return self.name

    def is_right(self, simulated: Simulated) -> bool:
        """Return whether the search ends as it must."""
        return simulated.end.ending is self.ending and not simulated.is_wrong


def _unrecovered(seed: int) -> Simulated:
    queue = QUEUES[-1]
    plan = SearchPlan((RULE,), width=WIDTH, is_fresh=False, budget_s=1500)
    return searched(plan, Target(queue, seed, RECOVERY_S), queue.capacity_per_s)


def _never_holds(seed: int) -> Simulated:
    return searched(SearchPlan((RULE,), width=WIDTH), Target(replace(QUEUES[0], limit_s=0.0), seed), 0.0)


def _saturated(seed: int) -> Simulated:
    queue = cliff("fast", 500.0, 0.1)
    return searched(SearchPlan((RULE,), width=WIDTH), Target(queue, seed, most_per_s=GENERATOR_PER_S), 500.0)


SPECIAL = (
    Special(f"a target that stays slow for {RECOVERY_S:.0f} s after a break", Ending.SUSTAINS, _unrecovered),
    Special("no rate holds", Ending.NONE, _never_holds),
    Special("more than the generator can make", Ending.AT_LEAST, _saturated),
)


def row(queue: Queue, found: Sequence[Simulated]) -> str:
    """Return the row of a queue in the table."""
    widths = [one.width for one in found if one.width is not None]
    both = [one for one in found if one.width is not None and one.end.is_confirmed]
    close = fmean(one.end.ending is Ending.SUSTAINS for one in found)
    cells = (
        queue,
        f"{queue.capacity_per_s:.1f}/s",
        len(found),
        f"{100 * fmean(one.is_wrong for one in found):.2f} %",
        f"{100 * len(both) / len(found):.1f} %",
        f"{100 * close:.1f} %",
        f"{100 * median(widths):.1f} %" if widths else "-",
        f"{100 * quantiles(widths, n=10, method='inclusive')[-1]:.1f} %" if len(widths) > 1 else "-",
        f"{median(one.took_s for one in found) / 60:.1f} min",
        f"{fmean(one.trials for one in found):.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| queue | capacity | searches | wrong | both, confirmed | within 5 % | width | 90 % within | time | trials |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def faults(found: Sequence[Simulated]) -> list[str]:
    """Return one line if more searches have a wrong bound than allowed."""
    share = fmean(one.is_wrong for one in found)
    check = Check("wrong bounds", share, most=MOST_WRONG)
    return [] if check.holds(len(found)) else [f"{share:.2%} wrong bounds, and at most {MOST_WRONG:.0%} are allowed"]


def special_faults(case: Special, found: Sequence[Simulated]) -> list[str]:
    """Return one line if a search of a special case does not end as it must."""
    wrong = [one.end for one in found if not case.is_right(one)]
    return [f"{case}: {len(wrong)} of {len(found)} do not end as they must (first: {wrong[0]})"] if wrong else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=10_000, help="searches in all")
    parser.add_argument("--special", type=int, default=20, help="searches of each special case")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if min(options.searches // len(QUEUES), options.special, options.processes) < 1:
        parser.error(f"--searches must be at least {len(QUEUES)}, and all other options at least 1")
    all_found: list[Simulated] = []
    problems: list[str] = []
    print(HEAD, flush=True)
    with ProcessPoolExecutor(options.processes) as pool_of_processes:
        for number, queue in enumerate(QUEUES):
            seeds = range(number, options.searches, len(QUEUES))
            found = list(pool_of_processes.map(partial(simulate, number), seeds, chunksize=8))
            print(row(queue, found), flush=True)
            all_found += found
        problems += faults(all_found)
        print("\n| special case | as it must |\n| --- | ---: |")
        for case in SPECIAL:
            found = list(pool_of_processes.map(case.search, range(options.special)))
            print(f"| {case} | {sum(map(case.is_right, found))} of {len(found)} |", flush=True)
            problems += special_faults(case, found)
    wrong = sum(one.is_wrong for one in all_found)
    print(f"\n{wrong} of {len(all_found)} searches have a wrong bound ({100 * wrong / len(all_found):.2f} %)")
    print("\n".join(problems) if problems else "every share is within its limit")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
