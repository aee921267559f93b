"""Measure pairs of segments, one side after the other, and keep their records."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from loadgate.analysis.ab.faults import Faults
from loadgate.analysis.ab.segments import Measure, MeasureKind, Metric, Pair, Segment
from loadgate.analysis.ab.text import signed
from loadgate.recorder import OVERALL
from loadgate.report.ab.document import SegmentRecord
from loadgate.run.document import EnvironmentRecord, RunDocument
from loadgate.runner.ab.measures import Seen, measures_of
from loadgate.runner.ab.order import SideName, side_orders
from loadgate.runner.ab.rate import Rate
from loadgate.runner.ab.segments import Meter, SegmentError, segment_of
from loadgate.runner.ab.sides import Side
from loadgate.runner.run import Say
from loadgate.units import milliseconds, rough_duration

FOLDER = "segments"
"""The folder of the segments' runs, relative to that of the comparison."""
SHOWN = 3
"""The maximum number of percentiles in the line of a segment."""


@dataclass
class Pairs:
    """The pairs of a comparison. `measure` adds to `measured`, `records` and `seen`."""

    sides: tuple[Side, Side]
    meter: Meter
    rate: Rate
    seed: int
    folder: Path
    say: Say
    planned: int
    metric: Metric
    measured: list[Pair] = field(default_factory=list)
    records: list[SegmentRecord] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    made_on: EnvironmentRecord | None = None
    spent_s: float = 0.0
    """The time for all segments so far, with the starts and stops of their targets."""

    def __post_init__(self) -> None:
        """Choose the order of the sides."""
        self._orders = side_orders(self.planned, self.seed)

    def measure(self, pairs: int) -> None:
        """Measure until this many pairs can be compared, or until faults of the targets have decided the comparison.

        Raises:
            StoppedError: A signal has stopped a segment.
            SideError, SegmentError: A segment cannot be measured.
        """
        while (compared := sum(pair.can_be_compared for pair in self.measured)) < pairs:
            faults = Faults.of(self.measured)
            if faults.is_regression or faults.is_broken(self.planned):
                break
            number = len(self.measured) + 1
            pairs_in_all = pairs + number - 1 - compared
            segments = {name: self._segment(name, number, pairs_in_all) for name in next(self._orders)}
            self.measured.append(Pair(segments["base"], segments["head"]))

    def _segment(self, name: SideName, number: int, pairs: int) -> Segment:
        began_s = time.monotonic()
        (side,) = (side for side in self.sides if side.name == name)
        rate_per_s = self.rate.per_s
        relative = Path(FOLDER) / f"{number:02d}-{name}"
        # Both segments of a pair have the same seed.
        options = self.meter.load.paced(rate_per_s, self.seed + number)
        document, control_ms = self.meter.measure(side, options, self.folder / relative)
        segment = segment_of(document, rate_per_s, control_ms)
        if self.metric is Metric.MEMORY and not segment.memory and not segment.problem:
            raise SegmentError(
                f"{side.name}, {side}: the memory of the target was not measured; add [[tool.loadgate.resource]] to "
                "pyproject.toml, and run the target on this machine"
            )
        self.seen.add(document)
        self.made_on = self.made_on or document.made_on
        self.records.append(
            SegmentRecord(
                pair=number,
                side=name,
                started_at=document.run.started_at,
                folder=relative.as_posix(),
                rate_per_s=segment.rate_per_s,
                control_ms=control_ms,
                problem=segment.problem,
            )
        )
        problem = f"; not compared: {segment.problem}" if segment.problem else ""
        self.spent_s += time.monotonic() - began_s
        left = self._left(pairs)
        headline = _growth(segment) if self.metric is Metric.MEMORY else _headline(document, segment)
        self.say(f"pair {number} of {pairs}, {name}: {headline}{problem}{left}")
        return segment

    def _left(self, pairs: int) -> str:
        """Return the time that the remaining segments of `pairs` pairs take if they are like those so far."""
        done = len(self.records)
        left_s = self.spent_s / done * (2 * pairs - done)
        return f" (about {rough_duration(left_s)} left)" if left_s else ""


def _headline(document: RunDocument, segment: Segment) -> str:
    """Return the first percentiles of the rules."""
    measures, _ = measures_of([rule.rule for rule in document.verdict.rules])
    percentiles = [
        measure for measure in measures if measure.percentile is not None and measure.scope in segment.scopes
    ]
    shown = percentiles[:SHOWN] or [Measure(OVERALL, MeasureKind.PERCENTILE, 95.0)]
    return ", ".join(f"{measure} {milliseconds(_value(measure, segment))}" for measure in shown)


def _growth(segment: Segment) -> str:
    """Return the growth of each resource."""
    measures = {Measure(name, MeasureKind.MEMORY): growth for name, growth in segment.memory.items()}
    return ", ".join(f"{measure} {signed(measure, growth)} per request" for measure, growth in measures.items())


def _value(measure: Measure, segment: Segment) -> float | None:
    counts = segment.scopes.get(measure.scope)
    return counts.success.quantile((measure.percentile or 0.0) / 100) if counts is not None else None
