"""Measure one segment: run Locust against a fresh target, and read what the comparison needs from the run."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from loadgate.analysis.ab.segments import ScopeCounts, Segment
from loadgate.errors import CommandError
from loadgate.live.display import LoggedDisplay
from loadgate.recorder import OUTSIDE, OVERALL, RAMP
from loadgate.run.document import RUN_FILE, RunDocument, read_run
from loadgate.run.document.environment import TargetRecord
from loadgate.run.judgement import Ending, arrival_notes, unsent_notes
from loadgate.runner.ab.control import Control, control_latency
from loadgate.runner.ab.sides import Fresh, Side
from loadgate.runner.ab.suite import Suite
from loadgate.runner.locust_process import run_locust
from loadgate.runner.run import target_record, with_target
from loadgate.runner.signals import Signals
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.units import compact_duration, count, plain

LOG_FILE = "locust.log"


class StoppedError(CommandError):
    """Raised if a signal has stopped a segment."""


class SegmentError(CommandError):
    """Raised if a segment leaves no run. The text says why, with the side and its commit."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load of all segments."""

    suite: Suite
    settle_s: float
    measure_s: float

    @property
    def segment_s(self) -> float:
        """Return the length of the load of a segment."""
        return self.settle_s + self.measure_s

    def command(self, url: str, options: Iterable[str]) -> list[str]:
        """Return the command of Locust."""
        command = [sys.executable, "-m", "loadgate.generator.launch", "-f", self.suite.locustfile, "--headless"]
        command += ["--only-summary", "--loglevel", "WARNING", "--load-profile", self.suite.profile, "--host", url]
        return [*command, "-t", compact_duration(self.segment_s), *options]

    def paced(self, rate_per_s: float, seed: int) -> list[str]:
        """Return the options of a segment of a comparison."""
        rate = f"{plain(rate_per_s)}/s"
        return ["--rate", rate, "--settle", compact_duration(self.settle_s), "--seed", str(seed)]


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures segments with a load."""

    load: Load
    control: Control
    signals: Signals

    def measure(self, side: Side, options: Sequence[str], folder: Path) -> tuple[RunDocument, float | None]:
        """Run Locust against a fresh target of a side. Return the run and the latency of the control in ms.

        Raises:
            StoppedError: A signal has stopped it.
            SideError: The target does not start.
            SegmentError: Locust leaves no run.
        """
        folder.mkdir(parents=True)
        log = folder / LOG_FILE
        with side.target(folder, self.signals.any) as target:
            command = self.load.command(target.url, options)
            with self.control.asking() as answers:
                run_locust(
                    command,
                    folder,
                    target.managed,
                    self.signals,
                    LoggedDisplay(log),
                    current=self.load.suite.current,
                    variables=self.load.suite.variables,
                )
            if self.signals.any():
                raise StoppedError
            if not (folder / RUN_FILE).exists():
                raise SegmentError(f"{side.name}, {side}: Locust could not measure it: {_last_words(log)}")
            document = read_run(folder)
            if (record := _target_record(target)) is not None:
                document = with_target(document, record)
        # The ramp has other load than the measured part.
        start_s, end_s = document.run.started_s + self.load.settle_s, document.run.started_s + document.run.duration_s
        return document, control_latency(answers, start_s, end_s)


def _target_record(target: Fresh) -> TargetRecord | None:
    if target.managed is None or target.settings is None:
        return None
    return target_record(target.managed, target.settings, target.managed.ended())


def _last_words(log: Path) -> str:
    """Return the messages of loadgate in the output of Locust, or else its last line."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    ours = [line.removeprefix("loadgate: ") for line in lines if line.startswith("loadgate: ")]
    return "; ".join(ours or [line for line in lines if line.strip()][-1:] or ["it printed nothing"])


def segment_of(document: RunDocument, rate_per_s: float, control_ms: float | None) -> Segment:
    """Return the measured part of a run, without its ramp. `rate_per_s` is the planned rate."""
    recorder = document.recording.recorder()
    stages = set(recorder.stages()) - {RAMP, OUTSIDE}
    counts = {}
    ruled = [rule.scope for rule in document.verdict.rules]
    for scope in dict.fromkeys([OVERALL, *recorder.groups(), *recorder.names(), *ruled]):
        totals = recorder.totals(scope, stages)
        if totals.requests:
            counts[scope] = ScopeCounts(totals.success, totals.failures)
    problem = problem_of(document)
    return Segment(counts, _achieved_rate(document, rate_per_s), control_ms, problem.text, problem.is_fault)


def _achieved_rate(document: RunDocument, rate_per_s: float) -> float:
    """Return the arrivals that started a task, per second."""
    run, counters = document.run, document.counters
    planned = rate_per_s * min(run.duration_s, run.planned_s or run.duration_s)
    lost = counters.get(ArrivalEvent.NEVER_STARTED, 0) + counters.get(ArrivalEvent.DROPPED, 0)
    return max(0.0, planned - lost) / run.duration_s if run.duration_s else 0.0


class Problem(NamedTuple):
    """Why a run cannot be compared, one clause, "" if it can; and whether the target is the cause."""

    text: str
    is_fault: bool


def problem_of(document: RunDocument) -> Problem:
    """Return the first problem of a run."""
    if document.target is not None and document.target.ended:
        return Problem(document.target.ended.partition(";")[0], is_fault=True)
    saturated = [process.problem for process in document.generator if process.problem]
    if saturated:
        return Problem(f"the load generator was saturated ({saturated[0]})", is_fault=False)
    if unsent := unsent_notes(document.counters, {process.process: process.unsent for process in document.generator}):
        return Problem(unsent[0], is_fault=False)
    fault = _fault(document)
    return Problem(fault, is_fault=bool(fault))


def _fault(document: RunDocument) -> str:
    run = document.run
    if run.ending is not Ending.COMPLETED:
        return f"the run was {run.ending.value}: {document.verdict.reason}"
    if not document.totals.overall.requests:
        return "it has no requests"
    if document.exceptions:
        times = sum(item.count for item in document.exceptions)
        return f"the suite raised {count(times)} exceptions (first: {document.exceptions[0].text})"
    return "; ".join(arrival_notes(document.counters))


def request_rate(document: RunDocument) -> float | None:
    """Return the requests per second of a closed model after its ramp. `None` without requests."""
    recorder = document.recording.recorder()
    stages = set(recorder.stages()) - {RAMP, OUTSIDE}
    ends = [at_s for at_s, _ in document.stages[1:]] + [document.run.started_s + document.run.duration_s]
    measured_s = sum(
        max(0.0, end_s - max(at_s, document.run.started_s))
        for (at_s, stage), end_s in zip(document.stages, ends, strict=True)
        if stage in stages
    )
    requests = recorder.totals(OVERALL, stages).requests
    return requests / measured_s if requests and measured_s else None
