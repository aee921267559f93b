"""Runs the load gate against a stub server that records its own times, and prints reported and true values.

    python -m benchmarks.calibrate [--only lognormal] [--seconds 45] [--rate 120]

At the end, it runs `python -m benchmarks.calibrate.leaks`, whose name here is `leaks`.

A case with a value beyond its limit runs twice more, and the median of the three runs is judged, because other
processes can disturb a single p99.9. Counts must be exact each time. The exit code is 1 if a value is beyond its limit.
Run little else on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.calibrate.cases import CASES, FULL_LOAD, Case, Load
from benchmarks.calibrate.comparison import BARS, Comparison, median_of, table
from benchmarks.calibrate.leaks import proof as leaks
from benchmarks.calibrate.runs import compare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="run only cases whose name contains TEXT")
    parser.add_argument("--seconds", type=int, default=FULL_LOAD.seconds, help="length of each run")
    parser.add_argument("--rate", type=int, default=FULL_LOAD.rate_per_s, help="requests per second")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in str(case)]
    with_leaks = options.only in leaks.NAME
    if not cases and not with_leaks:
        parser.error(f"--only {options.only}: no case name contains this text")
    status = _compare_latencies(cases, Load(options.rate, options.seconds)) if cases else 0
    return max(status, leaks.prove(leaks.Plan()) if with_leaks else 0)


def _compare_latencies(cases: Sequence[Case], load: Load) -> int:
    comparisons = []
    for number, case in enumerate(cases, 1):
        print(f"{number} of {len(cases)}: {case}", file=sys.stderr, flush=True)
        comparisons.append(_judged(case, load))
    print(table(comparisons, BARS))
    for comparison in comparisons:
        for figure in comparison.estimates:
            print(f"{comparison.case}: {figure.name}: {figure.reported:g}; at a fixed rate: {figure.true:g}")
    misses = [miss for comparison in comparisons for miss in comparison.misses(BARS)]
    print("\n".join(misses) if misses else "every value is within its limit")
    return 1 if misses else 0


def _judged(case: Case, load: Load) -> Comparison:
    first = compare(case, load)
    if not (misses := first.misses(BARS)):
        return first
    print("\n".join((*misses, "running this case twice more")), file=sys.stderr, flush=True)
    return median_of([first, compare(case, load), compare(case, load)])


if __name__ == "__main__":
    sys.exit(main())
