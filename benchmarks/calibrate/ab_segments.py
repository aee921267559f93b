"""Segments of a simulated service with run-to-run spread and stalls, and of a head with a known change. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from random import Random

from loadgate.analysis.ab.segments import Measure, MeasureKind, Pair, ScopeCounts, Segment
from loadgate.recorder import LatencySketch

SCOPE = "auth"
RULES = (
    *(Measure(SCOPE, MeasureKind.PERCENTILE, percentile) for percentile in (50.0, 95.0, 99.0)),
    Measure(SCOPE, MeasureKind.MEAN),
    Measure(SCOPE, MeasureKind.FAILURES),
)
RATE_PER_S, SEGMENT_S = 50.0, 20.0
MEDIAN_MS, SIGMA = 40.0, 0.4
FAST_MS = 2.0
"""The median of a fast route, of which a small absolute change is a large relative one."""

FAILURE_SHARE = 0.002
CONTROL_MS = 0.4

PAIR_SPREAD, SEGMENT_SPREAD = 0.05, 0.015
"""The spread of ln(latency) from pair to pair, which both sides share, and from segment to segment."""

STALLS, STALL_S = 0.3, (0.05, 0.15)
"""The mean number of stalls of a segment, and their length. A request that arrives in a stall waits for its end."""

HOG_FACTOR, HOG_STALLS, HOG_CONTROL = 1.3, 1.5, 0.1
"""Another program that uses the CPU: how much slower requests are, the stalls a segment, the spread of the control."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of base: its latency, its place among all requests (0 to 1) and a random number (0 to 1)."""

    latency_ms: float
    place: float
    chance: float


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the service.

    - `failures`: the share of the requests that fail in addition to those of base.
    - `median_ms`: the median latency of base.
    """

    name: str
    latency_ms: Callable[[Request], float] = attrgetter("latency_ms")
    failures: float = 0.0
    median_ms: float = MEDIAN_MS

    @property
    def base(self) -> Version:
        """Return the version that it is compared with."""
        return Version("base", median_ms=self.median_ms)


BASE = Version("no change")


def slower(percent: int) -> Version:
    """Return a version in which everything is slower."""
    return Version(f"+{percent} % of everything", partial(_times, 1 + percent / 100))


def later(added_ms: float) -> Version:
    """Return a version of a fast route in which everything takes longer by the same time."""
    return Version(f"{FAST_MS:g} ms, +{added_ms:g} ms of everything", partial(_plus, added_ms), median_ms=FAST_MS)


def _plus(added_ms: float, request: Request) -> float:
    return request.latency_ms + added_ms


def _times(factor: float, request: Request) -> float:
    return factor * request.latency_ms


def _slowest(request: Request) -> float:
    return request.latency_ms * (1.1 if request.place >= 0.92 else 1.0)


def _some(request: Request) -> float:
    return request.latency_ms + (200.0 if request.chance < 0.03 else 0.0)


def _bimodal(request: Request) -> float:
    if 0.3 <= request.place < 0.7:
        return request.latency_ms
    return request.latency_ms * (0.75 if request.place < 0.3 else 1.3)


INJECTIONS = (
    slower(10),
    Version("+10 % of the slowest 8 %", _slowest),
    Version("3 % of the requests +200 ms", _some),
    Version("bimodal with the same p50", _bimodal),
    Version("failures +0.5 points", failures=0.005),
)


def pairs(head: Version, number: int, seed: int, hog_from: float = math.inf) -> list[Pair]:
    """Return pairs of base and head. From pair `hog_from` on, which can be a fraction, another program uses the CPU."""
    rng = Random(f"{head.name} {seed}")  # noqa: S311 - a simulation
    made, base = [], head.base
    for pair in range(number):
        level = rng.gauss(0, PAIR_SPREAD)
        first, second = (pair >= hog_from, pair + 0.5 >= hog_from)
        versions = (base, head) if rng.random() < 0.5 else (head, base)
        segments = [_segment(version, level, hog, rng) for version, hog in zip(versions, (first, second), strict=True)]
        made.append(Pair(*(segments if versions[0] is base else segments[::-1])))
    return made


def _segment(version: Version, pair_level: float, hog: bool, rng: Random) -> Segment:
    level = version.median_ms * math.exp(pair_level + rng.gauss(0, SEGMENT_SPREAD)) * (HOG_FACTOR if hog else 1)
    stalls = _stalls(HOG_STALLS if hog else STALLS, rng)
    success, failures, time_s = LatencySketch(), 0, rng.expovariate(RATE_PER_S)
    while time_s < SEGMENT_S:
        if rng.random() < FAILURE_SHARE + version.failures:
            failures += 1
        else:
            wait_ms = sum(1000 * (end_s - time_s) for start_s, end_s in stalls if start_s <= time_s < end_s)
            success.record(_latency_ms(version, level, rng) + wait_ms)
        time_s += rng.expovariate(RATE_PER_S)
    control_ms = CONTROL_MS * math.exp(rng.gauss(0, HOG_CONTROL if hog else 0.01))
    return Segment({SCOPE: ScopeCounts(success, failures)}, RATE_PER_S, control_ms)


def _latency_ms(version: Version, level: float, rng: Random) -> float:
    z = rng.gauss(0, 1)
    return version.latency_ms(Request(level * math.exp(SIGMA * z), math.erfc(-z / math.sqrt(2)) / 2, rng.random()))


def _stalls(mean: float, rng: Random) -> list[tuple[float, float]]:
    """Return the start and the end of each stall of a segment. Their number has a Poisson distribution."""
    found, position = [], rng.expovariate(mean)
    while position < 1:
        start_s = position * SEGMENT_S
        found.append((start_s, start_s + rng.uniform(*STALL_S)))
        position += rng.expovariate(mean)
    return found
