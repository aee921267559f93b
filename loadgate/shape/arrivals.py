"""Open-model arrivals: when each request is meant to start, whatever the answers do. Pure, with no clock inside.

A schedule is a rate of arrivals over time, made of linear segments. Let N(t) be the area under the rate from the
start to t: arrival i (0, 1, 2, ...) is meant to start at the first t with N(t) = i. In a segment that goes from rate
a to rate b in T seconds, with k = (b - a) / T,

    N(t) = a t + k t^2 / 2        so that        t(i) = 2 i / (a + sqrt(a^2 + 2 k i))

which is i / a for a constant rate, needs no case for k = 0, and loses no digits for small k.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from loadgate.units import UNIT_S, duration_s

_RATE = re.compile(
    r"(?P<first>\d+(?:\.\d+)?)(?:\s*\.\.\s*(?P<last>\d+(?:\.\d+)?))?\s*/\s*(?P<unit>s|min)"
    r"(?:\s+over\s+(?P<over>\S+))?",
    re.IGNORECASE,
)
EXAMPLES = "such as 50/s, 90/min or 10..200/s over 2m"


class ArrivalEvent(StrEnum):
    """What is counted of arrivals beside the requests themselves (names of the recorder's counters)."""

    LATE = "arrivals_late"
    """Started clearly after the intended time: the generator had no free user or no free CPU."""

    DROPPED = "arrivals_dropped"
    """Given up, because so many were waiting already."""

    NEVER_STARTED = "arrivals_never_started"
    """Still waiting when the run ended, or come to a process without users."""


@dataclass(frozen=True, slots=True)
class RateSegment:
    """The rate goes linearly from `first` to `last` (arrivals per second) in `duration_s`, which may be infinite.

    `name` is that of the stage which holds the rate, where there is one.
    """

    first: float
    last: float
    duration_s: float
    name: str = ""

    @property
    def expected(self) -> float:
        """The area under the rate: how many arrivals the segment brings."""
        if math.isinf(self.duration_s):
            return math.inf if self.last else 0.0
        return (self.first + self.last) / 2 * self.duration_s

    @property
    def slope(self) -> float:
        """k, in arrivals per second per second."""
        return 0.0 if math.isinf(self.duration_s) else (self.last - self.first) / self.duration_s

    def expected_until(self, elapsed_s: float) -> float:
        """N at `elapsed_s` into the segment."""
        if elapsed_s >= self.duration_s:
            return self.expected
        return self.first * elapsed_s + self.slope * elapsed_s * elapsed_s / 2

    def when(self, arrivals: float) -> float:
        """The time into the segment at which N reaches `arrivals`, which must lie within it."""
        if not arrivals:
            return 0.0
        # Rounding may put the last arrival of a ramp down to 0/s a hair beyond the vertex of the parabola.
        root = math.sqrt(max(0.0, self.first * self.first + 2 * self.slope * arrivals))
        return 2 * arrivals / (self.first + root)


@dataclass(frozen=True, slots=True)
class ArrivalSchedule:
    """Segments one after the other; without any, nothing ever arrives."""

    segments: tuple[RateSegment, ...] = ()

    def start_s(self, index: int) -> float | None:
        """When arrival `index` (from 0) is meant to start, in seconds from the start; None when it never comes."""
        passed, begin_s = 0.0, 0.0
        for segment in self.segments:
            if index < passed + segment.expected:
                return begin_s + segment.when(index - passed)
            passed += segment.expected
            begin_s += segment.duration_s
        return None

    def rate_at(self, elapsed_s: float) -> float:
        """Arrivals per second at `elapsed_s`; 0 after the end."""
        for segment in self.segments:
            if elapsed_s < segment.duration_s:
                return segment.first + segment.slope * elapsed_s
            elapsed_s -= segment.duration_s
        return 0.0

    @property
    def peak_rate(self) -> float:
        """The highest rate of any moment, in arrivals per second."""
        return max((max(segment.first, segment.last) for segment in self.segments), default=0.0)

    def count_before(self, elapsed_s: float) -> int:
        """How many arrivals are meant to start before `elapsed_s`."""
        passed = 0.0
        for segment in self.segments:
            if elapsed_s <= 0:
                break
            passed += segment.expected_until(elapsed_s)
            elapsed_s -= segment.duration_s
        # Without rounding, 3 s at 0.1/s could bring a second arrival at 0.30000000000000004.
        return math.ceil(round(passed, 9))


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """Every `workers`-th arrival, from the `worker`-th on (0 to workers - 1).

    The shares of all workers together are the whole schedule, without gaps or doubles, and each has an even part of
    every stretch of it. No word needs to pass between workers.
    """

    schedule: ArrivalSchedule
    worker: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.worker < self.workers:
            raise ValueError(f"worker {self.worker} is not one of 0 to {self.workers - 1}")

    def index(self, own_index: int) -> int:
        """The number in the whole schedule of this worker's own arrival `own_index`."""
        return self.worker + own_index * self.workers

    def start_s(self, own_index: int) -> float | None:
        """When this worker's arrival `own_index` is meant to start; None when it never comes."""
        return self.schedule.start_s(self.index(own_index))

    def count_before(self, elapsed_s: float) -> int:
        """How many of this worker's arrivals are meant to start before `elapsed_s`."""
        return max(0, -(-(self.schedule.count_before(elapsed_s) - self.worker) // self.workers))

    def wait_s(self, elapsed_s: float, started: int) -> float | None:
        """How long to wait at `elapsed_s` when `started` arrivals have begun; 0 when late, None to stop."""
        start_s = self.start_s(started)
        return None if start_s is None else max(0.0, start_s - elapsed_s)


def parse_rate(text: str) -> ArrivalSchedule:
    """The schedule of `50/s`, `90/min`, or `10..200/s over 2m` (a linear ramp, then its last rate for good).

    Raises ValueError with one line that says what is wrong.
    """
    match = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not an arrival rate; write it {EXAMPLES}")
    scale = 1 / UNIT_S[match["unit"].lower()]
    first = float(match["first"]) * scale
    if (match["last"] is None) != (match["over"] is None):
        raise ValueError(f"{text!r}: a ramp needs both its rates and its time; write it {EXAMPLES}")
    if match["last"] is None:
        if not first:
            raise ValueError(f"{text!r}: a rate of 0 makes no load")
        return ArrivalSchedule((RateSegment(first, first, math.inf),))
    last = float(match["last"]) * scale
    if not first and not last:
        raise ValueError(f"{text!r}: a rate of 0 makes no load")
    try:
        ramp_s = duration_s(match["over"])
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error
    return ArrivalSchedule((RateSegment(first, last, ramp_s), RateSegment(last, last, math.inf)))
