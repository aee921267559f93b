"""The time that requests spend in flight in each second, apart from the seconds in which they end.

A cell holds the latencies of the requests that ended in its second. Their sum is the time in flight in that second if
each request began in it. A request over several seconds also gives each second its part here, and takes these parts
from the second in which it ended. So a request within one second costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from loadgate.recorder.slot_sums import SlotSums

NS_PER_S = 1_000_000_000


class InFlight(NamedTuple):
    """The mean number of requests in flight during [start_s, start_s + width_s), in epoch seconds.

    The mean times the width is the time that requests were in flight, in request-seconds.
    """

    start_s: int
    width_s: int
    mean: float


class SharedTime(SlotSums):
    """The parts of the time in flight that belong to other seconds than that of the end, for one request name.

    The sums are nanoseconds. They are negative where requests ended.
    """

    __slots__ = ()

    def move(self, start_s: float, end_second: int) -> None:
        """Move the time of a request before `end_second`, in which it ended, to the seconds in which it was."""
        first = int(start_s)
        if end_second > self._newest_s:
            self._newest_s = end_second
            self._roll_up()
        if first < self._rolled_to_s[1]:
            self.add(end_second, 1, -self.spread(start_s, end_second))
            return
        # Fast path: benchmarks/loadgate_record_cost.py --median-ms 2000: 13 -> 7 us for each request.
        seconds = self._by_width[1]
        part = int((first + 1 - start_s) * NS_PER_S)
        seconds[first] = seconds.get(first, 0) + part
        for second in range(first + 1, end_second):
            seconds[second] = seconds.get(second, 0) + NS_PER_S
        moved = part + (end_second - first - 1) * NS_PER_S
        seconds[end_second] = seconds.get(end_second, 0) - moved

    def spread(self, start_s: float, end_s: float) -> int:
        """Add the time from `start_s` to `end_s` to its seconds. Return it in nanoseconds."""
        total, second, end_second = 0, int(start_s), int(end_s)
        while second <= end_second:
            part = int((min(end_s, second + 1) - max(start_s, second)) * NS_PER_S)
            if part:
                self.add(second, 1, part)
            total += part
            second += 1
        return total
