"""Simulate series with a known growth, and count the wrong conclusions.

    python -m benchmarks.calibrate.growth [--series 400] [--walks 2000]

It prints the false alarms of series without a leak, the power to find leaks, and how often the kind of a leak is right.
The exit code is 1 if a share is beyond its limit. The seeds are fixed, so the result is always the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random
from time import process_time
from typing import Any

from benchmarks.calibrate.growth_series import HEALTHY, LEAKS, MB, NOISE, SHAPES, Kind, companions, growing
from benchmarks.calibrate.program import run
from loadgate.analysis.confidence import share_interval
from loadgate.analysis.decision import RuleOutcome
from loadgate.analysis.growth.growth import Growth, growth
from loadgate.analysis.growth.judgement import judge_growth
from loadgate.analysis.growth.kind import HEAP_IN_USE, PYTHON_BLOCKS, Cause, growth_kind
from loadgate.recorder.resources import ResourceUnit

LENGTHS_S = (300, 1800, 14_400)
BUDGET_PER_H = {ResourceUnit.BYTES: 5 * MB, ResourceUnit.COUNT: 10.0}
CAUSES = (Cause.PYTHON, Cause.NATIVE, Cause.RETAINED, Cause.LEVELS_OFF)

MAX_FALSE_ALARMS = 0.05
MAX_INTERVAL_MISSES = 0.08
MAX_SHAPE_ALARMS = 0.02
MIN_FOUND = 0.95
MIN_DECIDED = 0.9
MIN_RIGHT_KINDS = 0.9
MAX_COST_MS = 100.0
FOUND = {(300, 60 * MB), (1800, 20 * MB), (14_400, 5 * MB)}
"""The lengths, and the leaks an hour that must be found in them."""

LIMITS = (
    (ResourceUnit.BYTES, 300, 40 * MB),
    (ResourceUnit.BYTES, 1800, 5 * MB),
    (ResourceUnit.BYTES, 14_400, 1.5 * MB),
    (ResourceUnit.COUNT, 300, 40.0),
    (ResourceUnit.COUNT, 1800, 10.0),
    (ResourceUnit.COUNT, 14_400, 2.0),
)
"""The limits an hour that a run of a length decides: a healthy service passes, and a leak of twice the limit fails."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of series with each outcome, and of intervals of the slope that miss the truth."""

    grows: float
    holds: float
    misses: float


@dataclass(frozen=True, slots=True)
class Check:
    """A share, and its limits."""

    name: str
    value: float
    most: float = 1.0
    least: float = 0.0

    def holds(self, series: int) -> bool:
        """Return whether the limits hold, as far as a share of `series` series shows: by Wilson's 95 % interval."""
        interval = share_interval(round(self.value * series), series)
        if interval is None or interval.low is None or interval.high is None:
            raise ValueError("a share needs at least one series")
        return interval.low <= 100 * self.most and 100 * self.least <= interval.high


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table, with the limits that it breaks."""

    text: str
    faults: tuple[str, ...]


def simulate(kind: Kind, seconds: int, series: int, budget_per_h: float) -> Shares:
    """Return the shares among `series` series. The seed is the name of the kind and the length."""
    rng = Random(f"{kind.name} {seconds}")  # noqa: S311 - a simulation
    grows = holds = misses = 0
    for _ in range(series):
        found = known(growth(range(seconds), kind.draw(rng, seconds), kind.unit))
        outcome = judge_growth(found, budget_per_h / 3600).outcome
        grows += outcome is RuleOutcome.FAIL
        holds += outcome is RuleOutcome.PASS
        misses += not found.low_per_s <= kind.per_hour / 3600 <= found.high_per_s
    return Shares(grows / series, holds / series, misses / series)


def right_kinds(cause: Cause, seconds: int, series: int, per_hour: float) -> float:
    """Return the share of series whose kind is right."""
    rng = Random(f"{cause} {seconds}")  # noqa: S311 - a simulation
    right = 0
    for _ in range(series):
        drawn = companions(rng, seconds, cause, per_hour)
        beside = {
            PYTHON_BLOCKS: growth(range(seconds), drawn.python_blocks, ResourceUnit.COUNT),
            HEAP_IN_USE: growth(range(seconds), drawn.heap_in_use),
        }
        kind = growth_kind(known(growth(range(seconds), drawn.memory)), beside)
        right += kind is not None and kind.cause is cause
    return right / series


def known(found: Growth | None) -> Growth:
    """Return the growth of a series that is long enough."""
    if found is None:
        raise ValueError("the series is too short to have a growth")
    return found


def _noise(kind: Kind, seconds: int, series: int) -> Line:
    found = simulate(kind, seconds, series, budget_per_h=0.0)
    alarms = Check("false alarms", found.grows, most=MAX_FALSE_ALARMS)
    misses = Check("intervals that miss", found.misses, most=MAX_INTERVAL_MISSES)
    return _line(kind.name, seconds, series, (alarms, misses))


def _shape(kind: Kind, seconds: int, series: int) -> Line:
    found = simulate(kind, seconds, series, BUDGET_PER_H[kind.unit])
    alarms = Check("false alarms", found.grows, most=MAX_SHAPE_ALARMS)
    return _line(kind.name, seconds, series, (alarms, Check("pass", found.holds)))


def _healthy(kind: Kind, seconds: int, series: int) -> Line:
    found = simulate(kind, seconds, series, BUDGET_PER_H[kind.unit])
    alarms = Check("false alarms", found.grows, most=0.0)
    return _line(kind.name, seconds, series, (alarms, Check("pass", found.holds, least=MIN_FOUND)))


def _leak(kind: Kind, seconds: int, series: int) -> Line:
    found = simulate(kind, seconds, series, budget_per_h=0.0)
    least = MIN_FOUND if (seconds, kind.per_hour) in FOUND else 0.0
    misses = Check("intervals that miss", found.misses, most=MAX_INTERVAL_MISSES)
    return _line(kind.name, seconds, series, (Check("found", found.grows, least=least), misses))


def _limit(limit: tuple[ResourceUnit, float], seconds: int, series: int) -> Line:
    unit, per_h = limit
    healthy = simulate(growing(unit, 0.0), seconds, series, per_h)
    leak = simulate(growing(unit, 2 * per_h), seconds, series, per_h)
    name = f"{per_h / MB:g} MB/h" if unit is ResourceUnit.BYTES else f"{per_h:g}/h"
    passes = Check("healthy pass", healthy.holds, least=MIN_DECIDED)
    return _line(name, seconds, series, (passes, Check("leaks of twice the limit fail", leak.grows, least=MIN_DECIDED)))


def _cause(cause: Cause, seconds: int, series: int) -> Line:
    right = right_kinds(cause, seconds, series, per_hour=60 * MB)
    return _line(str(cause), seconds, series, (Check("right", right, least=MIN_RIGHT_KINDS),))


def _line(name: str, seconds: int, series: int, checks: Sequence[Check]) -> Line:
    length = f"{seconds // 60} min"
    faults = tuple(f"{name}, {length}: {check.value:.1%} {check.name}" for check in checks if not check.holds(series))
    shares = " | ".join(f"{100 * check.value:.1f} %" for check in checks)
    return Line(f"| {name} | {length} | {shares} |", faults)


Job = tuple[Callable[[Any, int, int], Line], Any, int, int]


def _tables(series: int, walks: int) -> Iterator[tuple[str, list[Job]]]:
    """Return the head and the jobs of each table."""
    number = {kind.name: walks if kind.name == "random walk" else series for kind in NOISE}
    yield (
        "| no trend, limit 0 | length | false alarms | intervals that miss |",
        [(_noise, kind, seconds, number[kind.name]) for kind in NOISE for seconds in LENGTHS_S],
    )
    yield (
        "| no leak, limit 5 MB/h | length | false alarms | pass |",
        [(_shape, kind, seconds, series) for kind in SHAPES for seconds in LENGTHS_S],
    )
    yield (
        "| healthy, limit 5 MB/h or 10/h | length | false alarms | pass |",
        [(_healthy, kind, 1800, series) for kind in HEALTHY],
    )
    yield (
        "| leak, limit 0 | length | found | intervals that miss |",
        [(_leak, kind, seconds, series) for kind in LEAKS for seconds in LENGTHS_S],
    )
    yield (
        "| limit | length | healthy pass | leaks of twice the limit fail |",
        [(_limit, (unit, per_h), seconds, series) for unit, seconds, per_h in LIMITS],
    )
    yield "| kind of a growth of 60 MB/h | length | right |", [(_cause, cause, 300, series) for cause in CAUSES]


def _run(job: Job) -> Line:
    work, subject, seconds, series = job
    return work(subject, seconds, series)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=400, help="series of each kind and length")
    parser.add_argument("--walks", type=int, default=2000, help="random walks of each length")
    options = parser.parse_args()
    faults: list[str] = []
    with ProcessPoolExecutor() as pool:
        for head, jobs in _tables(options.series, options.walks):
            faults += _printed(head, pool.map(_run, jobs))
    faults += _cost()
    print("\n" + ("\n".join(faults) if faults else "every share is within its limit"))
    return 1 if faults else 0


def _cost() -> list[str]:
    """Print the CPU time of five rules on 30 minutes, the smallest of five."""
    (warm_up,) = (kind for kind in SHAPES if kind.name == "warm-up")
    values = warm_up.draw(Random(1), 1800)  # noqa: S311 - a simulation
    costs_ms = []
    for _ in range(5):
        start_s = process_time()
        for _ in range(5):
            judge_growth(known(growth(range(1800), values)), 0.0)
        costs_ms.append(1000 * (process_time() - start_s))
    print(f"\nfive rules on 30 minutes: {min(costs_ms):.0f} ms of CPU")
    return [f"five rules on 30 minutes cost more than {MAX_COST_MS:g} ms"] if min(costs_ms) > MAX_COST_MS else []


def _printed(head: str, lines: Iterable[Line]) -> list[str]:
    """Print a table, and return the limits that it breaks."""
    print(f"\n{head}\n| --- |{' ---: |' * (head.count('|') - 2)}")
    faults: list[str] = []
    for line in lines:
        print(line.text, flush=True)
        faults += line.faults
    return faults


if __name__ == "__main__":
    run(main)
