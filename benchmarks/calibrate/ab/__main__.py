"""Compare pairs of stubs, one of which is slower or is not, and count the conclusions of `loadgate ab`.

    python -m benchmarks.calibrate.ab [--only "200 ms"] [--runs 20] [--pairs 10] [--measure 10s] [--parallel 5]
    python -m benchmarks.calibrate.ab --runs 10 --seed-from 10      # the second half of 20 runs

Two stubs of a version run side by side, and `loadgate ab` compares their URLs. All versions take 50 ms (lognormal,
sigma 0.3), and 0.2 % of the requests fail. The exit code is 1 if the conclusions of a case miss a limit. Run little
else on the machine.
"""

from __future__ import annotations

import argparse

from benchmarks.calibrate.ab.proof import RUNS, USUAL, Plan, prove
from benchmarks.calibrate.ab.relabelled import COMPARISONS
from benchmarks.calibrate.ab.versions import CASES
from benchmarks.calibrate.program import run
from benchmarks.calibrate.stubs.server import number_or_0, whole_number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="TEXT", help="run only cases with TEXT; can be repeated")
    parser.add_argument("--runs", type=whole_number, default=RUNS, help="comparisons of each case")
    parser.add_argument("--pairs", type=whole_number, default=USUAL.pairs)
    parser.add_argument("--measure", default=USUAL.measure, help="length of a segment")
    parser.add_argument("--parallel", type=whole_number, default=USUAL.parallel, help="comparisons at the same time")
    parser.add_argument("--seed-from", type=number_or_0, default=0, metavar="N", help="number of the first run")
    parser.add_argument(
        "--relabelled",
        type=number_or_0,
        default=COMPARISONS,
        metavar="N",
        help="comparisons made of the relabelled pairs of those without a change; 0 for none",
    )
    options = parser.parse_args()
    cases = [case for case in CASES if any(text in case.name for text in options.only or [""])]
    if not cases:
        parser.error(f"--only {options.only}: no case name contains this text")
    plan = Plan(options.pairs, options.measure, options.parallel)
    return 0 if prove(cases, options.runs, plan, options.seed_from, options.relabelled) else 1


if __name__ == "__main__":
    run(main)
