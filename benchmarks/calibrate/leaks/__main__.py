"""Measures stubs that leak or do not, and compares what the load gate concludes with the truth.

    python -m benchmarks.calibrate.leaks [--runs 20] [--seconds 300] [--mode sawtooth]

It runs the stub `leaky` 20 times in each mode, 44 side by side, so it takes 28 minutes. The exit code is 1 if a leak is
found in less than 95 % of the runs, its kind is right in less than 90 %, or anything else breaks a limit even once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.calibrate.leaks.proof import Plan, prove
from benchmarks.calibrate.program import run
from benchmarks.calibrate.stubs.modes import MODES
from benchmarks.calibrate.stubs.server import number_above_0, whole_number


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=whole_number, default=usual.runs, help="runs of each mode")
    parser.add_argument("--seconds", type=number_above_0, default=usual.seconds, help="length of a run")
    parser.add_argument("--batch", type=whole_number, default=usual.batch, help="stubs side by side")
    parser.add_argument("--speed", type=number_above_0, default=usual.speed, help="how many times faster stubs leak")
    parser.add_argument("--mode", choices=MODES, action="append", help="run only this mode; can be repeated")
    parser.add_argument("--records", type=Path, metavar="FOLDER", help="keep what was measured in this folder")
    given = parser.parse_args()
    modes = given.mode or tuple(MODES)
    return 0 if prove(Plan(given.runs, given.seconds, given.batch, given.speed, modes, given.records)) else 1


if __name__ == "__main__":
    run(main)
