"""The shares of several workers in the arrivals of a schedule. Pure functions and values without a clock.

When a worker is lost, the others take over its arrivals. They do so at one index of the schedule, the cut: arrivals
before it belong to the old shares, and those from it on to the new ones. Every worker first promises to stop at an
index (`hold`). The cut is the highest of these indices, so no worker has passed it, and each arrival has one owner.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from loadgate.shape.arrivals import ArrivalSchedule


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """Every `workers`-th arrival of a schedule from the index `first` on, starting with number `worker` (from 0).

    Together the workers cover these arrivals without gaps or duplicates, and each has an equal part of every period.
    The share ends before the index `end`, or with the schedule if that is `None`.
    """

    worker: int = 0
    workers: int = 1
    first: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.worker < self.workers:
            raise ValueError(f"worker {self.worker} is not one of 0 to {self.workers - 1}")

    def index(self, own_index: int) -> int | None:
        """Return the index in the whole schedule of arrival `own_index` of this share. None if it has ended."""
        index = self.first + self.worker + own_index * self.workers
        return index if self.end is None or index < self.end else None


class AssignedArrivals:
    """The arrivals of one worker in their order: its share, and after a cut its next share."""

    def __init__(self, schedule: ArrivalSchedule, share: WorkerShare) -> None:
        self._schedule = schedule
        self._shares = deque([share])
        self._own_index = 0
        self.handed_out = 0
        """Number of arrivals taken with `advance`."""

    def next_index(self) -> int | None:
        """Return the index in the schedule of the next arrival. None if the worker has to wait for a new share."""
        while True:
            index = self._shares[0].index(self._own_index)
            if index is not None or len(self._shares) == 1:
                return index
            self._shares.popleft()
            self._own_index = 0

    def next_start_s(self) -> float | None:
        """Return the intended start of the next arrival in seconds after the start. None if there is none."""
        index = self.next_index()
        return None if index is None else self._schedule.start_s(index)

    def advance(self) -> None:
        """Take the next arrival."""
        self._own_index += 1
        self.handed_out += 1

    def hold(self, index: int) -> int:
        """Stop before arrival `index`, or before the next own arrival if that is later. Return where it stops."""
        following, last = self.next_index(), self._shares[-1]
        passed = last.end if following is None else following
        stop = max(index, last.first, passed or 0)
        self._shares[-1] = replace(last, end=stop)
        return stop

    def continue_with(self, share: WorkerShare) -> None:
        """Take the arrivals of the old share up to the first one of `share`, and then those of `share`."""
        self._shares[-1] = replace(self._shares[-1], end=share.first)
        self._shares.append(share)

    def start_over_with(self, share: WorkerShare) -> None:
        """Take only the arrivals of `share`, because the others have been assigned to other workers or to none."""
        self._shares = deque([share])
        self._own_index = 0
