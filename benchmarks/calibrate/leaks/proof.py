"""The whole proof: all modes in batches, the table, and the limits that were missed."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibrate.leaks.judging import Judged, judge, rows
from benchmarks.calibrate.leaks.measuring import Measured, MeasuringError, Subject, measure
from benchmarks.calibrate.stubs.modes import MODES
from benchmarks.calibrate.stubs.started import NotStartedError

NAME = "leaks"
HEAD = "| mode | runs | found | kind right | false fails | inconclusive | pass |"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs there are. Each mode runs `runs` times for `seconds`, and `batch` stubs run side by side."""

    runs: int = 20
    seconds: float = 300.0
    batch: int = 4 * len(MODES)
    speed: float = 1.0
    modes: Collection[str] = tuple(MODES)
    records: Path | None = None
    """The folder for what was measured."""

    def batches(self) -> list[list[Subject]]:
        """Return the subjects of each batch, with all modes in each."""
        subjects = [Subject(mode, seed, self.speed) for seed in range(self.runs) for mode in self.modes]
        return [subjects[first : first + self.batch] for first in range(0, len(subjects), self.batch)]


def prove(plan: Plan) -> bool:
    """Print the table and the missed limits. Return whether there are none and every run was completed."""
    try:
        judged = list(_judged(plan))
    except (MeasuringError, NotStartedError, OSError) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return False
    print(f"{HEAD}\n| --- |{' ---: |' * (HEAD.count('|') - 2)}")
    misses = []
    for row in rows(judged):
        print(row)
        misses += row.misses()
    print("\n".join(misses) if misses else "every mode is within its limits")
    return not misses


def _judged(plan: Plan) -> Iterator[Judged]:
    batches = plan.batches()
    if plan.records is not None:
        plan.records.mkdir(parents=True, exist_ok=True)
    for number, subjects in enumerate(batches, 1):
        print(f"{NAME}, batch {number} of {len(batches)}: {len(subjects)} stubs", file=sys.stderr, flush=True)
        for measured in measure(subjects, plan.seconds):
            if plan.records is not None:
                _keep(measured, plan.records)
            yield judge(measured)


def _keep(measured: Measured, folder: Path) -> None:
    subject = measured.subject
    kept = {"load_s": measured.load_s, "resources": measured.resources.to_json()}
    (folder / f"{subject.mode}-{subject.seed}.json").write_text(json.dumps(kept))
