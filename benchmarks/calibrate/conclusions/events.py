"""A discrete-event simulation: tasks are generators that sleep or wait for a slot, in virtual time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from itertools import count

Task = Generator["float | Slots", None, None]
"""Yields seconds to sleep, or slots of which it takes one once it is free."""


class Slots:
    """A number of slots, which tasks take in the order of their arrival."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.taken = 0
        self.waiting: deque[Callable[[], None]] = deque()


class Simulation:
    """The clock and the tasks of a simulation."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def start(self, task: Task, at_s: float = 0.0) -> None:
        """Start a task at a moment."""
        self._at(at_s, lambda: self._step(task))

    def release(self, slots: Slots) -> None:
        """Return a slot."""
        slots.taken -= 1
        self.admit(slots)

    def admit(self, slots: Slots) -> None:
        """Give the free slots to the tasks that wait."""
        while slots.waiting and slots.taken < slots.number:
            slots.taken += 1
            self._at(self.now, slots.waiting.popleft())

    def run(self, until_s: float) -> None:
        """Run all events before a moment."""
        while self._events and self._events[0][0] < until_s:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def _step(self, task: Task) -> None:
        wanted = next(task, None)
        if isinstance(wanted, Slots):
            wanted.waiting.append(lambda: self._step(task))
            self.admit(wanted)
        elif wanted is not None:
            self._at(self.now + wanted, lambda: self._step(task))

    def _at(self, time_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time_s, next(self._numbers), event))
