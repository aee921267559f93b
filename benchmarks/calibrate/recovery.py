"""Measure recovery times of a stub whose disturbance drains at a known rate, and compare them with the truth.

    python -m benchmarks.calibrate.recovery [--only "tau 5 s"] [--runs 20] [--share 0.95] [--parallel 12]

A run is one Locust process against one stub `draining`: 35 s before, a rush of 10 s, and the time after it. A recovery
time is right if it is at most one window away from the true one, and exactly 0 if the rush slows nothing. A run is
undecided, and not right, if the gate gives no time, or if the stage before was so noisy that its band hides the whole
delay. The exit code is 1 if less than the share of the runs of a case are right. Run little else on the machine.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibrate.drains import DRAIN_CASES, GROUP, DrainCase
from benchmarks.calibrate.program import run
from benchmarks.calibrate.runs import CalibrationError, locust_run
from benchmarks.calibrate.stubs.server import whole_number
from benchmarks.calibrate.stubs.started import stub
from loadgate.analysis.recovery.band import NoBand, find_band
from loadgate.analysis.recovery.recovery import RecoveryState
from loadgate.analysis.tails import QUANTILE
from loadgate.analysis.traffic import StageSpans, Traffic, stage_spans
from loadgate.run.document import RunDocument

SHARE = 0.95
RUNS = 20
PARALLEL = 12
"""A run at 100 requests per second needs about a tenth of a core."""

LOCUSTFILE = Path(__file__).with_name("drain_locustfile.py")


@dataclass(frozen=True, slots=True)
class Trial:
    """The recovery time of one run and the true one, in seconds; None for a recovery that the run did not see.

    `undecided` says why the run proves nothing.
    """

    case: DrainCase
    found_s: float | None
    true_s: float | None
    window_s: float
    undecided: str = ""

    @property
    def is_right(self) -> bool:
        if self.undecided:
            return False
        if self.found_s is None or self.true_s is None:
            return self.found_s is None and self.true_s is None
        return abs(self.found_s - self.true_s) <= (self.window_s if self.true_s else 0.0)

    def __str__(self) -> str:
        found = f"{_seconds(self.found_s)}, true {_seconds(self.true_s)}"
        return f"{self.case.name}: {self.undecided or found}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: the trials of a case."""

    case: DrainCase
    trials: Sequence[Trial]
    share: float = SHARE

    @property
    def holds(self) -> bool:
        return self._right >= self._needed

    @property
    def _right(self) -> int:
        return sum(trial.is_right for trial in self.trials)

    @property
    def _needed(self) -> int:
        return math.ceil(self.share * len(self.trials))

    def __str__(self) -> str:
        decided = [trial for trial in self.trials if not trial.undecided]
        found, true = _span([one.found_s for one in decided]), _span([one.true_s for one in decided])
        off = [abs(one.found_s - one.true_s) for one in decided if one.found_s is not None and one.true_s]
        largest = f"{max(off):.1f} s" if off else ""
        right = f"{self._right} of {len(self.trials)}"
        undecided = len(self.trials) - len(decided)
        return f"| {self.case.name} | {right} | {self._needed} | {undecided} | {found} | {true} | {largest} |"


HEAD = (
    "| case | right | needed | undecided | found | true | largest difference |\n"
    "| --- | ---: | ---: | ---: | --- | --- | ---: |"
)


def _span(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _seconds(None)
    lowest, highest = min(known), max(known)
    return _seconds(lowest) if lowest == highest else f"{lowest:.0f} to {_seconds(highest)}"


def _seconds(value: float | None) -> str:
    return "not within the run" if value is None else f"{value:.0f} s"


def measure(case: DrainCase, seed: int) -> Trial:
    """Carry out one run of a case."""
    with stub("draining", *case.stub_options(seed)) as draining:
        document = locust_run(case.name, LOCUSTFILE, draining.url, ["--load-profile", case.profile.name])
        (found,) = [one for one in document.conclusions.recoveries if one.scope == GROUP]
        spans = _spans(document)
        added_s = _tolerated_s(document, spans)
        if found.state is RecoveryState.UNDECIDED or added_s is None:
            return Trial(case, None, None, found.window_s, " ".join(found.sentences))
        truth = draining.truth(f"?below={added_s:.6f}")
    true_s = None if truth["calm_from"] is None else max(0.0, truth["calm_from"] - spans.after.start_s)
    if true_s is not None and true_s > spans.after.length_s:
        true_s = None
    if case.peak_s and true_s == 0:
        return Trial(case, None, None, found.window_s, "the band hides the delay")
    return Trial(case, found.time_s, true_s, found.window_s)


def _tolerated_s(document: RunDocument, spans: StageSpans) -> float | None:
    """Return the delay at which the p95 reaches the limit of the band of the run. None if there is no band.

    A delay that all requests have moves the p95 by as much. The p95 without it is that of the stage before.
    """
    recorder = document.recording.recorder()
    traffic = Traffic(GROUP, recorder.time_slots(GROUP), in_flight=recorder.in_flight(GROUP))
    band = find_band(traffic, [spans.before])
    usual_ms = traffic.totals_in(spans.before).success.quantile(QUANTILE)
    if isinstance(band, NoBand) or usual_ms is None:
        return None
    return max(0.0, band.limit_ms - usual_ms) / 1000


def _spans(document: RunDocument) -> StageSpans:
    last = document.recording.recorder().time_slots()[-1]
    spans = stage_spans(document.stages, "rush", last.start_s + last.width_s)
    if isinstance(spans, str):
        raise CalibrationError(spans)
    return spans


def measured(cases: Sequence[DrainCase], runs: int, parallel: int) -> Iterator[Trial]:
    """Yield `runs` trials of each case, `parallel` at a time. The longest runs start first."""
    jobs = [(case, seed) for case in sorted(cases, key=lambda case: -case.after_s) for seed in range(runs)]
    with ThreadPoolExecutor(parallel) as pool:
        yield from pool.map(lambda job: measure(*job), jobs)


def prove(cases: Sequence[DrainCase], runs: int, parallel: int = PARALLEL, share: float = SHARE) -> bool:
    """Print the table of the cases, and return whether each holds."""
    trials: list[Trial] = []
    for trial in measured(cases, runs, parallel):
        trials.append(trial)
        print(trial, file=sys.stderr, flush=True)
    rows = [Row(case, [trial for trial in trials if trial.case is case], share) for case in cases]
    print("\n".join((HEAD, *map(str, rows))))
    return all(row.holds for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="TEXT", help="run only cases with TEXT; can be repeated")
    parser.add_argument("--runs", type=whole_number, default=RUNS, help="runs of each case")
    parser.add_argument("--share", type=float, default=SHARE, help="share of the runs of a case that must be right")
    parser.add_argument("--parallel", type=whole_number, default=PARALLEL, help="runs at the same time")
    options = parser.parse_args()
    cases = [case for case in DRAIN_CASES if any(text in case.name for text in options.only or [""])]
    if not cases:
        parser.error(f"--only {options.only}: no case name contains this text")
    return 0 if prove(cases, options.runs, options.parallel, options.share) else 1


if __name__ == "__main__":
    run(main)
