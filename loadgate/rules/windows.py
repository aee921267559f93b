"""Full windows of a run: every stretch of a given length that lies wholly inside it, moved on second by second."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loadgate.recorder import TimeSlot, Totals


@dataclass(frozen=True, slots=True)
class Window:
    """All requests that ended in [start_s, start_s + length_s), epoch seconds."""

    start_s: int
    length_s: int
    totals: Totals


def fill_gaps(slots: Sequence[TimeSlot], first_s: int, end_s: int) -> list[TimeSlot]:
    """The slots within [first_s, end_s), with an empty one for each second that no slot covers."""
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
    """Every window of `length_s` in adjoining slots, one beginning at each slot.

    Where old slots were rolled up, a window ends with the slot that completes it, so it may be longer there.
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
    """A queue that knows the total of its elements at a constant number of merges a step.

    Two stacks: `front` holds running totals from the newest of its elements back to the oldest, so that dropping the
    oldest needs no subtraction (a sketch's minimum and maximum have none).
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
