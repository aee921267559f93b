"""The requests of a scope over time, and the spans of the stages of a run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadgate.analysis.tails import SlotTail, p95_ms, tails
from loadgate.analysis.windows import fill_gaps
from loadgate.recorder import OUTSIDE, RAMP, InFlight, TimeSlot, Totals
from loadgate.recorder.cells import WIDTHS_S
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


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests of a scope over time.

    - `slots`: the requests that ended in each second, ascending.
    - `arrivals`: the requests that were due in each epoch second, if they are known.
    - `in_flight`: the mean number of requests in flight, ascending, without slots in which there are none. From it, the
      arrivals are computed if they are not given.
    """

    scope: str
    slots: Sequence[TimeSlot]
    arrivals: Mapping[int, float] | None = None
    in_flight: Sequence[InFlight] = ()

    def slots_in(self, span: Span) -> list[TimeSlot]:
        """Return the slots that lie completely in a span."""
        return [
            slot for slot in self.slots if span.start_s <= slot.start_s and slot.start_s + slot.width_s <= span.end_s
        ]

    def totals_in(self, span: Span) -> Totals:
        """Return the totals of the slots that lie completely in a span."""
        return Totals.sum(slot.totals for slot in self.slots_in(span))

    def level_at(self, time_s: float) -> float | None:
        """Return the requests in flight at a moment: the mean of the half seconds around it. None if it is unknown."""
        return self.mean_level(Span(time_s - 0.5, time_s + 0.5))

    def mean_level(self, span: Span) -> float | None:
        """Return the mean number of requests in flight in a span. None if it is unknown."""
        if not self.in_flight or span.length_s <= 0:
            return None
        # A slot of another width can begin up to a minute earlier.
        first = bisect_left(self.in_flight, span.start_s - WIDTHS_S[-1], key=_start_s)
        end = bisect_left(self.in_flight, span.end_s, key=_start_s)
        total_s = sum(
            slot.mean * max(0.0, min(slot.start_s + slot.width_s, span.end_s) - max(slot.start_s, span.start_s))
            for slot in self.in_flight[first:end]
        )
        return total_s / span.length_s

    def arrivals_in(self, span: Span, completions: int) -> float | None:
        """Return the requests that were due in a span, of which `completions` ended. None if it is unknown."""
        if self.arrivals is not None:
            return sum(self.arrivals.get(second, 0.0) for second in range(int(span.start_s), int(span.end_s)))
        first, last = self.level_at(span.start_s), self.level_at(span.end_s)
        return None if first is None or last is None else max(0.0, completions + last - first)

    def tails_in(self, span: Span, length_s: int) -> list[SlotTail]:
        """Return the tails of the whole seconds in a span, for windows of `length_s`."""
        return tails(fill_gaps(self.slots, -int(-span.start_s // 1), int(span.end_s)), length_s)

    def windows(self, span: Span, length_s: int) -> Iterator[WindowFigures]:
        """Yield the figures of every window of `length_s` in a span, one per second.

        A window is longer if old seconds were merged into wider slots.
        """
        slots = self.tails_in(span, length_s)
        end = covered_s = 0
        for first, slot in enumerate(slots):
            while covered_s < length_s and end < len(slots):
                covered_s += slots[end].width_s
                end += 1
            if covered_s < length_s:
                return
            window = slots[first:end]
            requests = sum(part.requests for part in window)
            yield WindowFigures(
                start_s=slot.start_s,
                length_s=covered_s,
                requests=requests,
                failures=sum(part.failures for part in window),
                p95_ms=p95_ms(window),
                arrivals=self.arrivals_in(Span(slot.start_s, slot.start_s + covered_s), requests),
            )
            covered_s -= slot.width_s


def _start_s(slot: InFlight) -> int:
    return slot.start_s


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
        return f"the run ended before the end of {name}, {given(round(disturbance.length_s))} s after its start"
    return StageSpans(name, before, disturbance, Span(disturbance.end_s, again))
