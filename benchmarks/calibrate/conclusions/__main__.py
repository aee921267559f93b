"""Simulates runs in virtual time, and compares what the load gate concludes with the truth.

    python -m benchmarks.calibrate.conclusions [--repeats 20]

For each case, it prints in how many runs the conclusion was right. The exit code is 1 if it was right in less than 95 %
of the runs of a case, or in less than all where nothing may be blamed: a delay outside the target, and no cause at all.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.calibrate.conclusions import drains
from benchmarks.calibrate.conclusions.service import SLOW_S, START_S, TRUTH, Cause, SimulatedService, explained
from benchmarks.calibrate.program import run
from loadgate.analysis.causes.attribution import Attribution

REPEATS = 20
SHARE = 0.95
WINDOW_S = 5


@dataclass(frozen=True, slots=True)
class Row:
    """The result of a case."""

    case: str
    right: int
    runs: int
    needed: int
    found: str

    def __str__(self) -> str:
        mark = "" if self.right >= self.needed else " !"
        return f"| {self.case} | {self.right} of {self.runs}{mark} | {self.needed} | {self.found} |"


def recoveries(repeats: int) -> Iterator[Row]:
    for case in drains.CASES:
        found = [drains.simulate(case, seed) for seed in range(repeats)]
        times_s = sorted(one.time_s for one in found if one.time_s is not None)
        right = sum(drains.is_right(case, one) for one in found)
        shown = f"{times_s[0]:.0f} to {times_s[-1]:.0f} s" if times_s else "not within the run"
        yield Row(f"recovery, {case}", right, repeats, math.ceil(SHARE * repeats), shown)


def causes(repeats: int) -> Iterator[Row]:
    for cause in Cause:
        found = [explained(SimulatedService(cause, seed)) for seed in range(repeats)]
        may_blame = TRUTH[cause] is not None
        needed = math.ceil(SHARE * repeats) if may_blame else repeats
        right = sum(is_right(cause, one) for one in found)
        yield Row(f"cause, {cause}", right, repeats, needed, _shown(cause, found))


def is_right(cause: Cause, found: list[Attribution]) -> bool:
    """Whether each affected group has one episode with the true cause, and no other one; no episode without a cause."""
    if cause is Cause.NONE:
        return not found
    named = [one.cause.wait if one.cause is not None else None for one in found]
    in_time = all(abs(one.episode.span.start_s - START_S - SLOW_S[0]) <= WINDOW_S for one in found)
    return "auth" in {one.episode.scope for one in found} and in_time and set(named) == {TRUTH[cause]}


def _shown(cause: Cause, found: list[list[Attribution]]) -> str:
    truth = TRUTH[cause]
    shares = [share.share for run in found for one in run for share in one.shares if truth in {None, share.wait}]
    if not shares:
        return "no episode"
    largest = f"at most {max(shares):.0%} blamed on a wait"
    return largest if truth is None else f"{truth.words} {min(shares):.0%} to {max(shares):.0%}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of each case")
    repeats = parser.parse_args().repeats
    print("| case | right | needed | found |\n| --- | ---: | ---: | --- |")
    misses = 0
    for rows in (recoveries(repeats), causes(repeats)):
        for row in rows:
            print(row, flush=True)
            misses += row.right < row.needed
    print(f"{misses} cases are below their limit" if misses else "every case is within its limit")
    return 1 if misses else 0


if __name__ == "__main__":
    run(main)
