"""Sliding windows: all intervals of a given length that lie completely inside a run, one per second."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loadgate.recorder import TimeSlot, Totals


@dataclass(frozen=True, slots=True)
class Window:
    """The requests that ended in [start_s, start_s + length_s), in epoch seconds."""

    start_s: int
    length_s: int
    totals: Totals


def fill_gaps(slots: Sequence[TimeSlot], first_s: int, end_s: int) -> list[TimeSlot]:
    """Return the slots within [first_s, end_s), with an empty slot for each second that no slot covers."""
    filled: list[TimeSlot] = []
    cursor = first_s
    for slot in slots:
        if slot.start_s < cursor or slot.start_s + slot.width_s > end_s:
            continue
        filled += [TimeSlot(second, 1, Totals()) for second in range(cursor, slot.start_s)]
        filled.append(slot)
        cursor = slot.start_s + slot.width_s
    return filled + [TimeSlot(second, 1, Totals()) for second in range(cursor, end_s)]


def full_windows(slots: Sequence[TimeSlot], length_s: int) -> Iterator[Window]:
    """Yield every window of `length_s` over adjacent slots. A window starts at each slot.

    A window ends with the slot that completes it. It is therefore longer if old slots were merged into wider ones.
    """
    queue = _SlidingTotals()
    covered_s, end = 0, 0
    for slot in slots:
        while covered_s < length_s and end < len(slots):
            covered_s += slots[end].width_s
            queue.push(slots[end].totals)
            end += 1
        if covered_s < length_s:
            return
        yield Window(slot.start_s, covered_s, queue.total())
        queue.pop()
        covered_s -= slot.width_s


@dataclass(slots=True)
class _SlidingTotals:
    """A queue with the total of its elements. Each step needs an amortised constant number of merges.

    It consists of two stacks. `front` holds running totals from its newest to its oldest element, so the oldest can be
    removed without a subtraction. A subtraction could not restore the minimum and the maximum of a sketch.
    """

    front: list[Totals] = field(default_factory=list)
    back: deque[Totals] = field(default_factory=deque)
    back_total: Totals = field(default_factory=Totals)

    def push(self, totals: Totals) -> None:
        self.back.append(totals)
        self.back_total += totals

    def pop(self) -> None:
        if not self.front:
            running = Totals()
            while self.back:
                running += self.back.pop()
                self.front.append(running)
            self.back_total = Totals()
        self.front.pop()

    def total(self) -> Totals:
        return self.front[-1] + self.back_total if self.front else self.back_total
