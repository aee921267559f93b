"""The arrivals of an open model: the intended start of each request. Pure functions without a clock.

A schedule is a rate of arrivals over time that consists of linear segments. Let N(t) be the area under the rate from
the start to t. The intended start of arrival i (0, 1, 2, ...) is the first t with N(t) = i. In a segment that goes from
rate a to rate b in T seconds, with k = (b - a) / T,

    N(t) = a t + k t^2 / 2        so that        t(i) = 2 i / (a + sqrt(a^2 + 2 k i))

For a constant rate this is i / a. The formula needs no special case for k = 0 and is accurate for small k.
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
    """The names of the recorder's counters of arrivals."""

    LATE = "arrivals_late"
    """Arrivals that started late, because the generator had no free user or no free CPU."""

    DROPPED = "arrivals_dropped"
    """Arrivals that were dropped, because too many were waiting."""

    NEVER_STARTED = "arrivals_never_started"
    """Arrivals that were waiting when the run ended, or that belong to a process without users or to a lost worker."""

    OF_LOST_WORKERS = "arrivals_of_lost_workers"
    """The part of NEVER_STARTED that belongs to workers that were lost, away or late."""


@dataclass(frozen=True, slots=True)
class RateSegment:
    """A linear change of the rate from `first` to `last` (arrivals per second) in `duration_s`, which can be infinite.

    `name` is the name of the stage with this rate, if any.
    """

    first: float
    last: float
    duration_s: float
    name: str = ""

    @property
    def expected(self) -> float:
        """Return the area under the rate, which is the number of arrivals in the segment."""
        if math.isinf(self.duration_s):
            return math.inf if self.last else 0.0
        return (self.first + self.last) / 2 * self.duration_s

    @property
    def slope(self) -> float:
        """Return k in arrivals per second per second."""
        return 0.0 if math.isinf(self.duration_s) else (self.last - self.first) / self.duration_s

    def expected_until(self, elapsed_s: float) -> float:
        """Return N at `elapsed_s` after the start of the segment."""
        if elapsed_s >= self.duration_s:
            return self.expected
        return self.first * elapsed_s + self.slope * elapsed_s * elapsed_s / 2

    def when(self, arrivals: float) -> float:
        """Return the time after the start of the segment at which N reaches `arrivals`, a value within the segment."""
        if not arrivals:
            return 0.0
        # At the end of a ramp down to 0/s, rounding can make the radicand slightly negative.
        root = math.sqrt(max(0.0, self.first * self.first + 2 * self.slope * arrivals))
        return 2 * arrivals / (self.first + root)


@dataclass(frozen=True, slots=True)
class ArrivalSchedule:
    """A sequence of segments. Without segments there are no arrivals."""

    segments: tuple[RateSegment, ...] = ()

    def start_s(self, index: int) -> float | None:
        """Return the intended start of arrival `index` (from 0) in seconds after the start. None if there is none."""
        passed, begin_s = 0.0, 0.0
        for segment in self.segments:
            if index < passed + segment.expected:
                return begin_s + segment.when(index - passed)
            passed += segment.expected
            begin_s += segment.duration_s
        return None

    @property
    def peak_rate(self) -> float:
        """Return the highest rate in arrivals per second."""
        return max((max(segment.first, segment.last) for segment in self.segments), default=0.0)

    def count_before(self, elapsed_s: float) -> int:
        """Return the number of arrivals whose intended start is before `elapsed_s`."""
        passed = 0.0
        for segment in self.segments:
            if elapsed_s <= 0:
                break
            passed += segment.expected_until(elapsed_s)
            elapsed_s -= segment.duration_s
        # 0.07/s for 100 s gives 7.000000000000001, which without rounding would count as 8 arrivals.
        return math.ceil(round(passed, 9))


def parse_rate(text: str) -> ArrivalSchedule:
    """Parse `50/s`, `90/min`, or `10..200/s over 2m` (a linear ramp, then its last rate without end).

    Raises ValueError with one line that describes the error.
    """
    match = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not an arrival rate; write a rate {EXAMPLES}")
    scale = 1 / UNIT_S[match["unit"].lower()]
    first = float(match["first"]) * scale
    if (match["last"] is None) != (match["over"] is None):
        raise ValueError(f"{text!r}: a ramp needs two rates and a duration; write a rate {EXAMPLES}")
    if match["last"] is None:
        if not first:
            raise ValueError(f"{text!r}: a rate of 0 generates no load")
        return ArrivalSchedule((RateSegment(first, first, math.inf),))
    last = float(match["last"]) * scale
    if not first and not last:
        raise ValueError(f"{text!r}: a rate of 0 generates no load")
    try:
        ramp_s = duration_s(match["over"])
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error
    return ArrivalSchedule((RateSegment(first, last, ramp_s), RateSegment(last, last, math.inf)))
