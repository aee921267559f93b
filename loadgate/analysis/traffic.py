"""The requests of a scope over time, and the spans of the stages of a run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from loadgate.analysis.tails import SlotTail, no_requests, p95_ms, tails
from loadgate.recorder import OUTSIDE, RAMP, InFlight, TimeSlot, Totals
from loadgate.recorder.sketch import NS_PER_MS
from loadgate.units import given


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span [start_s, end_s) in epoch seconds."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Return the seconds from the start to the end."""
        return self.end_s - self.start_s

    def overlaps(self, other: Span) -> bool:
        """Return whether the spans have a moment in common."""
        return self.start_s < other.end_s and other.start_s < self.end_s


class Counts(NamedTuple):
    """The counts of the requests in a span. `timed` ones have a latency, and `time_ns` is the sum of the latencies."""

    requests: int
    failures: int
    timed: int
    time_ns: int

    @property
    def mean_ms(self) -> float | None:
        """Return the mean latency of all requests, failed ones included. None without one."""
        return self.time_ns / NS_PER_MS / self.timed if self.timed else None


@dataclass(frozen=True)
class Traffic:
    """The requests of a scope over time. What is computed from them is kept, so that all questions share it.

    - `slots`: the requests that ended in each second, ascending and disjoint.
    - `arrivals`: the requests that were due in each epoch second, if they are known.
    - `in_flight`: the mean number of requests in flight, ascending, without slots in which there are none. From it, the
      arrivals are computed if they are not given.
    """

    scope: str
    slots: Sequence[TimeSlot]
    arrivals: Mapping[int, float] | None = None
    in_flight: Sequence[InFlight] = ()

    def slots_in(self, span: Span) -> Sequence[TimeSlot]:
        """Return the slots that lie completely in a span."""
        first, end = self._range(span)
        return self.slots[first:end]

    def totals_in(self, span: Span) -> Totals:
        """Return the totals of the slots that lie completely in a span."""
        return Totals.sum(slot.totals for slot in self.slots_in(span))

    def counts_in(self, *spans: Span) -> Counts:
        """Return the counts of the slots that lie completely in spans. The cost does not depend on their length."""
        ranges = [self._range(span) for span in spans]
        return Counts(*(sum(sums[end] - sums[first] for first, end in ranges) for sums in self._sums))

    def level_at(self, time_s: float) -> float | None:
        """Return the requests in flight at a moment: the mean of the half seconds around it. None if it is unknown."""
        return self.mean_level(Span(time_s - 0.5, time_s + 0.5))

    def mean_level(self, span: Span) -> float | None:
        """Return the mean number of requests in flight in a span. None if it is unknown."""
        if not self.in_flight or span.length_s <= 0:
            return None
        return (self._in_flight_until(span.end_s) - self._in_flight_until(span.start_s)) / span.length_s

    def arrivals_in(self, span: Span, completions: int) -> float | None:
        """Return the requests that were due in a span, of which `completions` ended. None if it is unknown."""
        if self.arrivals is not None:
            return sum(self.arrivals.get(second, 0.0) for second in range(int(span.start_s), int(span.end_s)))
        first, last = self.level_at(span.start_s), self.level_at(span.end_s)
        return None if first is None or last is None else max(0.0, completions + last - first)

    def tails_in(self, span: Span, length_s: int) -> list[SlotTail]:
        """Return the tails of the slots in a span, for windows of `length_s`.

        A second without requests has an empty one. A slot that lies only partly in the span is left out with all of its
        seconds.
        """
        first, end = self._range(span)
        cursor, end_s = -int(-span.start_s // 1), int(span.end_s)
        if first:
            cursor = max(cursor, self._ends_s[first - 1])
        if end < len(self.slots):
            end_s = min(end_s, self._starts_s[end])
        filled: list[SlotTail] = []
        for tail in self._tails(length_s)[first:end]:
            filled += map(no_requests, range(cursor, tail.start_s))
            filled.append(tail)
            cursor = tail.start_s + tail.width_s
        filled += map(no_requests, range(cursor, end_s))
        return filled

    def windows(self, span: Span, length_s: int) -> list[WindowFigures]:
        """Return the figures of every window of `length_s` in a span, one per second.

        A window is longer if old seconds were merged into wider slots.
        """
        parts = self.tails_in(span, length_s)
        found: list[WindowFigures] = []
        end = covered_s = 0
        for first, part in enumerate(parts):
            while covered_s < length_s and end < len(parts):
                covered_s += parts[end].width_s
                end += 1
            if covered_s < length_s:
                break
            found.append(self._window(parts, first, end, covered_s))
            covered_s -= part.width_s
        return found

    def _window(self, parts: Sequence[SlotTail], first: int, end: int, length_s: int) -> WindowFigures:
        start_s = parts[first].start_s
        known = self._windows.get((start_s, length_s))
        if known is None:
            window = parts[first:end]
            requests = sum(part.requests for part in window)
            known = self._windows[start_s, length_s] = WindowFigures(
                start_s=start_s,
                length_s=length_s,
                requests=requests,
                failures=sum(part.failures for part in window),
                p95_ms=p95_ms(window),
                arrivals=self.arrivals_in(Span(start_s, start_s + length_s), requests),
            )
        return known

    def _range(self, span: Span) -> tuple[int, int]:
        """Return the first of the slots that lie completely in a span, and the one after the last, by their numbers."""
        first = bisect_left(self._starts_s, span.start_s)
        return first, max(first, bisect_right(self._ends_s, span.end_s))

    def _in_flight_until(self, time_s: float) -> float:
        """Return the time in flight before a moment, in request-seconds."""
        at = bisect_right(self._in_flight_starts_s, time_s) - 1
        if at < 0:
            return 0.0
        slot = self.in_flight[at]
        return self._in_flight_sums[at] + slot.mean * min(slot.width_s, time_s - slot.start_s)

    def _tails(self, length_s: int) -> list[SlotTail]:
        if length_s not in self._tails_by_length:
            self._tails_by_length[length_s] = tails(self.slots, length_s)
        return self._tails_by_length[length_s]

    @cached_property
    def _tails_by_length(self) -> dict[int, list[SlotTail]]:
        return {}

    @cached_property
    def _windows(self) -> dict[tuple[int, int], WindowFigures]:
        return {}

    @cached_property
    def _starts_s(self) -> list[int]:
        return [slot.start_s for slot in self.slots]

    @cached_property
    def _ends_s(self) -> list[int]:
        return [slot.start_s + slot.width_s for slot in self.slots]

    @cached_property
    def _sums(self) -> list[list[int]]:
        """The sums of each of the Counts over the slots before each slot."""
        totals = [slot.totals for slot in self.slots]
        columns = (
            (part.requests for part in totals),
            (part.failures for part in totals),
            (part.success.count + part.failure.count for part in totals),
            (part.success.sum_ns + part.failure.sum_ns for part in totals),
        )
        return [list(accumulate(column, initial=0)) for column in columns]

    @cached_property
    def _in_flight_starts_s(self) -> list[int]:
        return [slot.start_s for slot in self.in_flight]

    @cached_property
    def _in_flight_sums(self) -> list[float]:
        return list(accumulate((slot.mean * slot.width_s for slot in self.in_flight), initial=0.0))


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """The requests that ended in one window. `p95_ms` is None if there were too few successful ones."""

    start_s: int
    length_s: int
    requests: int
    failures: int
    p95_ms: float | None
    arrivals: float | None

    @property
    def completion(self) -> float | None:
        """Return completions ÷ arrivals. None if there were no arrivals or their number is unknown."""
        return self.requests / self.arrivals if self.arrivals else None


@dataclass(frozen=True, slots=True)
class StageSpans:
    """A disturbance: the stage before it, itself, and everything after it."""

    name: str
    before: Span
    disturbance: Span
    after: Span


def stage_spans(stages: Sequence[tuple[float, str]], name: str, end_s: float) -> StageSpans | str:
    """Return the spans around the first stage called `name`, or a clause that says why there are none.

    `stages` are (start in epoch seconds, name), ascending, and `end_s` is the end of the load. In an open model, the
    stage before is the one before the ramp. The time after ends where the stage begins again.
    """
    ends = [*(since_s for since_s, _ in stages[1:]), end_s]
    spans = [
        (stage, Span(since_s, min(until_s, end_s))) for (since_s, stage), until_s in zip(stages, ends, strict=True)
    ]
    at = next((number for number, (stage, span) in enumerate(spans) if stage == name and span.length_s > 0), None)
    if at is None:
        return f"the stage {name} did not start"
    before = next((span for stage, span in reversed(spans[:at]) if stage not in {RAMP, OUTSIDE, name}), None)
    if before is None:
        return f"there is no stage before {name}"
    disturbance = spans[at][1]
    again = next((span.start_s for stage, span in spans[at + 1 :] if stage == name), end_s)
    if again <= disturbance.end_s:
        return f"the run ended {given(round(disturbance.length_s))} s after the start of {name}, before its end"
    return StageSpans(name, before, disturbance, Span(disturbance.end_s, again))
