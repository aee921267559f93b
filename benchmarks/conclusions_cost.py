"""Measures the CPU time of the conclusions of a run, at its end.

    python benchmarks/conclusions_cost.py [--rounds 3]

Each figure is the ratio of two costs whose measurements alternate, so other load on the machine affects both: the
conclusions of a run of one minute, half an hour and a day, and a single read of the requests of each of its scopes, per
second. The least that the conclusions have to do is this read.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loadgate.recorder import OVERALL
from loadgate.run.conclusions import conclusions
from loadgate.run.document.writing import finished_run
from tests.support.synthetic_run import DAY, Synthetic, synthetic_run

RUNS = {
    "one minute": (Synthetic(duration_s=60), 40.0),
    "half an hour": (Synthetic(duration_s=1800), 8.0),
    "a day, 50 names": (DAY, 3.0),
}
"""Runs with five groups, and the maximum of the ratio."""


def cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    rounds, too_high = parser.parse_args().rounds, False
    for name, (wanted, limit) in RUNS.items():
        run = finished_run(synthetic_run(wanted))
        scopes = [OVERALL, *run.recorder.groups()]
        costs = [
            (cpu_s(lambda: conclusions(run)), cpu_s(lambda: [run.traffic(scope) for scope in scopes]))  # noqa: B023
            for _ in range(rounds)
        ]
        conclusions_s, read_s = (statistics.median(column) for column in zip(*costs, strict=True))
        ratio = conclusions_s / read_s
        too_high = too_high or ratio > limit
        sys.stdout.write(f"{name:<16} {conclusions_s:6.2f} s CPU, {ratio:5.1f} times one read (at most {limit:g})\n")
    return int(too_high)


if __name__ == "__main__":
    sys.exit(main())
