"""Measure one segment: run Locust against a fresh target, and read what the comparison needs from the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.analysis.ab.segments import ScopeCounts, Segment
from loadgate.errors import CommandError
from loadgate.recorder import OUTSIDE, OVERALL, RAMP
from loadgate.run.document import RunDocument
from loadgate.runner.ab.control import Control, control_latency
from loadgate.runner.ab.memory import memory_growth
from loadgate.runner.ab.sides import Side
from loadgate.runner.headless import NoRunError, measured_run, problem_of
from loadgate.runner.signals import Signals
from loadgate.runner.suite import Suite
from loadgate.shape.arrivals import ArrivalEvent
from loadgate.units import compact_duration, plain


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
        load = self.load
        with side.target(folder, self.signals.any) as target, self.control.asking() as answers:
            try:
                document = measured_run(
                    load.suite, target, load.segment_s, options, folder=folder, signals=self.signals
                )
            except NoRunError as error:
                raise SegmentError(f"{side.name}, {side}: {error}") from error
        # The ramp has other load than the measured part.
        start_s, end_s = document.run.started_s + self.load.settle_s, document.run.started_s + document.run.duration_s
        return document, control_latency(answers, start_s, end_s)


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
    problem, rate = problem_of(document), _achieved_rate(document, rate_per_s)
    return Segment(counts, rate, control_ms, problem.text, problem.is_fault, memory_growth(document))


def _achieved_rate(document: RunDocument, rate_per_s: float) -> float:
    """Return the arrivals that started a task, per second."""
    run, counters = document.run, document.counters
    planned = rate_per_s * min(run.duration_s, run.planned_s or run.duration_s)
    lost = counters.get(ArrivalEvent.NEVER_STARTED, 0) + counters.get(ArrivalEvent.DROPPED, 0)
    return max(0.0, planned - lost) / run.duration_s if run.duration_s else 0.0


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
