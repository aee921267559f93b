"""What is measured of the two sides, base and head: pairs of segments, one segment for each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loadgate.recorder import LatencySketch
from loadgate.units import plain


class MeasureKind(StrEnum):
    """What is compared of a scope."""

    PERCENTILE = "percentile"
    MEAN = "mean"
    FAILURES = "failures"
    MEMORY = "memory"
    """Bytes by which a resource of the target grew, per request."""


class Metric(StrEnum):
    """What decides a comparison."""

    RULES = "rules"
    """The latencies and failures of the suite's rules."""
    MEMORY = "memory"
    """The growth of the memory of the target's resources."""


class ChangeUnit(StrEnum):
    """The unit of a change."""

    PERCENT = "percent"
    """A relative change of a latency."""
    POINTS = "percentage points"
    """A difference of two shares of failures."""
    BYTES = "bytes per request"
    """A difference of two growths of memory."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value of a scope that is compared between the sides.

    - `scope`: a group, a request name with its method, or `overall`; for memory, a resource of the target.
    - `percentile`: above 0 and below 100; None for the other kinds.
    """

    scope: str
    kind: MeasureKind
    percentile: float | None = None

    @property
    def metric(self) -> str:
        """Return the metric in the grammar of rules, such as `p95`."""
        return self.kind.value if self.percentile is None else f"p{plain(self.percentile)}"

    @property
    def unit(self) -> ChangeUnit:
        """Return the unit of its changes."""
        return _UNITS.get(self.kind, ChangeUnit.PERCENT)

    def __str__(self) -> str:
        return f"{self.scope}: {self.metric}"


_UNITS = {MeasureKind.FAILURES: ChangeUnit.POINTS, MeasureKind.MEMORY: ChangeUnit.BYTES}


@dataclass(frozen=True, slots=True)
class ScopeCounts:
    """The latencies of the successful requests of a scope in ms, and the number of failed ones."""

    success: LatencySketch
    failures: int

    @property
    def requests(self) -> int:
        """Return the number of requests."""
        return self.success.requests + self.failures


@dataclass(frozen=True, slots=True)
class Segment:
    """One measurement of one side.

    - `scopes`: by the name of the scope. A scope without requests is absent.
    - `rate_per_s`: the arrivals that the generator started per second.
    - `control_ms`: a latency of a server of the load gate that ran during the segment; None if it was not measured.
    - `problem`: why the segment cannot be compared, one clause; "" if it can.
    - `is_fault`: whether the target is the cause of the problem.
    - `memory`: the bytes by which each resource of the target grew, per request.
    """

    scopes: Mapping[str, ScopeCounts]
    rate_per_s: float
    control_ms: float | None = None
    problem: str = ""
    is_fault: bool = False
    memory: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two segments that were measured one after the other with the same seed and schedule."""

    base: Segment
    head: Segment

    @property
    def can_be_compared(self) -> bool:
        """Return whether neither segment has a problem."""
        return not (self.base.problem or self.head.problem)


@dataclass(frozen=True, slots=True)
class Margins:
    """What is too small to matter, and what is too large to accept.

    - `ignore`, `worse`: relative changes of a latency, such as 0.05.
    - `ignore_ms`: a change of a latency that is too small to matter, however large it is as a share. Twice of it is not
      too large to accept, as the default of `worse` is twice that of `ignore`.
    - `ignore_failures`, `worse_failures`: differences of the share of failures, such as 0.001 for 0.1 points.
    - `ignore_bytes`: a difference of the growth of memory per request. Twice of it is too large to accept.
    """

    ignore: float = 0.05
    worse: float = 0.10
    ignore_ms: float = 0.5
    ignore_failures: float = 0.001
    worse_failures: float = 0.005
    ignore_bytes: float = 100.0

    def of(self, measure: Measure, base: float | None) -> tuple[float, float]:
        """Return what is ignored and what is worse, in the unit of the changes of a measure.

        `base` is the value of base.
        """
        if measure.unit is ChangeUnit.PERCENT:
            return self.of_latency(base)
        return self.of_difference(measure.unit)

    def of_difference(self, unit: ChangeUnit) -> tuple[float, float]:
        """Return the differences of shares or of bytes that are ignored and that are worse."""
        if unit is ChangeUnit.BYTES:
            return self.ignore_bytes, 2 * self.ignore_bytes
        return self.ignore_failures, self.worse_failures

    def of_latency(self, base_ms: float | None) -> tuple[float, float]:
        """Return the relative changes that are ignored and that are worse, of a latency that base has."""
        least = self.ignore_ms / base_ms if base_ms else 0.0
        return max(self.ignore, least), max(self.worse, 2 * least)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared.

    - `rules`: the measures of the rules, which decide.
    - `others`: measures that are shown and do not affect the outcome.
    - `looks`: after how many pairs the comparison is decided.
    """

    rules: tuple[Measure, ...]
    others: tuple[Measure, ...] = ()
    names: tuple[str, ...] = ()
    """Names of requests, each a scope. Their p95 is shown and does not affect the outcome."""
    margins: Margins = field(default_factory=Margins)
    looks: tuple[int, ...] = (10, 20)
