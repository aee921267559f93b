"""Segments and pairs for the tests of comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from loadgate.analysis.ab.segments import Measure, MeasureKind, Pair, ScopeCounts, Segment
from loadgate.recorder import LatencySketch

P50, P95, P99 = (Measure("auth", MeasureKind.PERCENTILE, percentile) for percentile in (50.0, 95.0, 99.0))
MEAN = Measure("auth", MeasureKind.MEAN)
FAILURES = Measure("auth", MeasureKind.FAILURES)


def counts(latencies_ms: Iterable[float], failures: int = 0) -> ScopeCounts:
    """The counts of a scope."""
    sketch = LatencySketch()
    for latency_ms in latencies_ms:
        sketch.record(latency_ms)
    return ScopeCounts(sketch, failures)


def segment(
    latencies_ms: Iterable[float] = (), failures: int = 0, *, scope: str = "auth", rate_per_s: float = 50.0,
    control_ms: float | None = 1.0, problem: str = "", is_fault: bool = False,
) -> Segment:  # fmt: skip
    """A segment with one scope, which is absent without requests."""
    found = counts(latencies_ms, failures)
    return Segment({scope: found} if found.requests else {}, rate_per_s, control_ms, problem, is_fault)


def drawn(rng: Random, factor: float = 1.0, requests: int = 300, spread: float = 0.02) -> list[float]:
    """Lognormal latencies of a segment, whose level differs by `spread` from segment to segment."""
    level = 40 * factor * rng.lognormvariate(0, spread)
    return [level * rng.lognormvariate(0, 0.4) for _ in range(requests)]


def pairs(
    number: int, factor: float = 1.0, *, seed: int = 1, requests: int = 300, spread: float = 0.02,
    failures: tuple[int, int] = (0, 0),
) -> list[Pair]:  # fmt: skip
    """Pairs in which head is slower by `factor`. `failures`: of each segment of base and of head."""
    rng = Random(seed)
    return [
        Pair(
            segment(drawn(rng, 1.0, requests, spread), failures[0]),
            segment(drawn(rng, factor, requests, spread), failures[1]),
        )
        for _ in range(number)
    ]


def of_latencies(sides: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[Pair]:
    """Pairs of the given latencies of base and head."""
    return [Pair(segment(base), segment(head)) for base, head in sides]
