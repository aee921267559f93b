"""Runs the load gate against servers with a known truth, and prints what it reports and what is true.

    python -m benchmarks.calibrate [--only lognormal] [--seconds 45] [--rate 120] [--runs 20]

First, it compares latencies. A case with a value beyond its limit runs twice more, and the median of the three runs is
judged, because other processes can disturb a single p99.9. Counts must be exact each time.

Then, it runs the proofs `leaks`, `recovery`, `causes` and `ab`, which are programs of their own as well, such as
`python -m benchmarks.calibrate.leaks`. The exit code is 1 if a value is beyond its limit. Run little else on the
machine meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.calibrate import causes, recovery
from benchmarks.calibrate.ab import proof as ab
from benchmarks.calibrate.ab.versions import CASES as VERSION_CASES
from benchmarks.calibrate.cases import CASES, FULL_LOAD, Case, Load
from benchmarks.calibrate.comparison import BARS, Comparison, median_of, table
from benchmarks.calibrate.leaks import proof as leaks
from benchmarks.calibrate.program import run
from benchmarks.calibrate.runs import compare
from benchmarks.calibrate.stubs.server import whole_number

PROOFS: Mapping[str, Callable[[int], bool]] = {
    leaks.NAME: lambda runs: leaks.prove(leaks.Plan(runs)),
    "recovery": lambda runs: recovery.prove(recovery.DRAIN_CASES, runs),
    "causes": lambda trials: causes.prove(causes.INJECTIONS, trials),
    "ab": lambda runs: ab.prove(VERSION_CASES, runs),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="run only cases whose name contains TEXT")
    parser.add_argument("--seconds", type=int, default=FULL_LOAD.seconds, help="length of each run")
    parser.add_argument("--rate", type=int, default=FULL_LOAD.rate_per_s, help="requests per second")
    parser.add_argument(
        "--runs", type=whole_number, default=recovery.RUNS, help="runs or trials of each case of a proof"
    )
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in str(case)]
    proofs = [proof for name, proof in PROOFS.items() if options.only in name]
    if not cases and not proofs:
        parser.error(f"--only {options.only}: no case name contains this text")
    compared = not cases or _compared(cases, Load(options.rate, options.seconds))
    proved = [proof(options.runs) for proof in proofs]
    return 0 if compared and all(proved) else 1


def _compared(cases: Sequence[Case], load: Load) -> bool:
    """Print the table of the cases, and return whether each value is within its limit."""
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
    return not misses


def _judged(case: Case, load: Load) -> Comparison:
    first = compare(case, load)
    if not (misses := first.misses(BARS)):
        return first
    print("\n".join((*misses, "running this case twice more")), file=sys.stderr, flush=True)
    return median_of([first, compare(case, load), compare(case, load)])


if __name__ == "__main__":
    run(main)
