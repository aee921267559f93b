"""Simulate histories of runs, and count false and missed changes of `loadgate history --changes`.

    python -m benchmarks.calibrate.changes [--histories 60]

Prints the false alarms per 100 of 1,000 stable histories of 40 runs, and the share of histories whose change of +5, +10
or +20 % is found within one run of its place. The exit code is 1 if stable histories of independent runs have more than
2 false alarms per 100, or if less than 95 % of the changes of +20 % in the middle of normal histories with a spread of
3 % are found.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from random import Random

from benchmarks.calibrate.program import run
from benchmarks.calibrate.stubs.server import whole_number
from loadgate.analysis.changes import ChangeLimits, find_changes, suspect_newest

RUNS = 40
STABLE = 1000
"""Stable histories of each kind. They take little time, because the test stops at the first larger statistic."""
LIMITS = ChangeLimits(math.log1p(0.05))
SPREADS = (0.03, 0.06)
SIZES = (0.05, 0.10, 0.20)
PLACES = (20, 34, 37)
"""After 20, 34 and 37 of the 40 runs."""

Draw = Callable[[Random, float], list[float]]


def _normal(rnd: Random, spread: float) -> list[float]:
    return [rnd.gauss(0, spread) for _ in range(RUNS)]


def _outliers(rnd: Random, spread: float) -> list[float]:
    """Return runs of which one in 20 varies six times as much."""
    return [rnd.gauss(0, spread) * (6 if rnd.random() < 0.05 else 1) for _ in range(RUNS)]


def _heavy_tails(rnd: Random, spread: float) -> list[float]:
    """Return values of Student's t with 2 degrees of freedom."""
    return [spread * rnd.gauss(0, 1) / math.sqrt(rnd.expovariate(1)) for _ in range(RUNS)]


def _dependent(rnd: Random, spread: float) -> list[float]:
    """Return runs with an autocorrelation of 0.3, such as those of a machine with warm and cold days."""
    values = [rnd.gauss(0, spread)]
    while len(values) < RUNS:
        values.append(0.3 * values[-1] + rnd.gauss(0, spread * math.sqrt(1 - 0.3**2)))
    return values


KINDS: Mapping[str, Draw] = {
    "independent": _normal,
    "outliers": _outliers,
    "heavy tails": _heavy_tails,
    "autocorrelation 0.3": _dependent,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=whole_number, default=60, help="histories of each kind with a change")
    histories = parser.parse_args().histories
    sizes = [f"+{size:.0%}" for size in SIZES]
    print(f"| runs | spread | false alarms | suspected | {' | '.join(sizes)} |")
    broken = []
    for name, draw in KINDS.items():
        for spread in SPREADS:
            alarms, suspected = _stable(draw, spread, STABLE)
            found = [[_found(draw, spread, size, at, histories) for at in PLACES] for size in SIZES]
            cells = [", ".join(f"{share:.0%}" for share in shares) for shares in found]
            print(f"| {name} | {spread:.0%} | {alarms:.3g} | {suspected:.3g} | {' | '.join(cells)} |", flush=True)
            if draw is not _dependent and alarms > 2:
                broken.append(f"{name}, spread {spread:.0%}: {alarms:.3g} false alarms per 100 histories, limit 2")
            if draw is _normal and spread == SPREADS[0] and found[-1][0] < 0.95:
                broken.append(f"{name}: {found[-1][0]:.0%} of the changes of {sizes[-1]} found, limit 95%")
    print("\n".join(broken) if broken else "every share is within its limit")
    return 1 if broken else 0


def _stable(draw: Draw, spread: float, histories: int) -> tuple[float, float]:
    """Return the false changes and the suspected newest runs per 100 histories."""
    rnd = Random(1)  # noqa: S311 - a simulation
    drawn = [draw(rnd, spread) for _ in range(histories)]
    alarms = sum(len(find_changes(values, LIMITS)) for values in drawn)
    suspected = sum(suspect_newest(values, 0, LIMITS.min_change) is not None for values in drawn)
    return 100 * alarms / histories, 100 * suspected / histories


def _found(draw: Draw, spread: float, size: float, at: int, histories: int) -> float:
    """Return the share of histories whose change is found within one run of its place."""
    rnd, found = Random(2), 0  # noqa: S311 - a simulation
    for _ in range(histories):
        values = [value + math.log1p(size) * (place >= at) for place, value in enumerate(draw(rnd, spread))]
        found += any(abs(change.at - at) <= 1 for change in find_changes(values, LIMITS))
    return found / histories


if __name__ == "__main__":
    run(main)
