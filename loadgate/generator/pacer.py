"""The pacer of an open model, which passes each arrival of a schedule to a free user.

An arrival starts one task of one user class. Classes get arrivals in proportion to their weights. If no user of the
class is free, the arrival waits. The wait is part of its response time, because all users are busy only if the target
is slow.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import gevent
from gevent.event import AsyncResult

from loadgate.shape.arrivals import ArrivalEvent, WorkerShare
from loadgate.shape.weighted import weighted_order

LATE_S = 0.05
"""An arrival counts as late if it starts this long after its intended start: ten times the error of a timer."""

OWN_SLACK_S = 0.005
"""The time that a timer and the client need to send a request if a user is free. A delay of up to this value is not
part of the response time. A longer delay is part of the response time and counts as lag of the generator."""

ARRIVAL = "arrival"
"""The name under which the generator's own delay of arrivals is recorded."""

YIELD_EVERY = 10
MAX_WAITING = 1000
"""Maximum number of arrivals that wait for a free user in one process. Further ones are dropped and counted."""


_T = TypeVar("_T")


class Arrival(NamedTuple):
    """The intended start of a task (perf_counter), a random number, and whether it had to wait for a free user.

    The number, from 0 to below 1, decides which of the tasks starts. It depends only on the seed and the number of the
    arrival, so that runs with the same seed start the same tasks at the same times.
    """

    intended: float
    number: float
    waited: bool = False

    def choose(self, tasks: Sequence[_T]) -> _T:
        """Return the task of this arrival."""
        return tasks[int(self.number * len(tasks))]

    def lateness_s(self, began: float) -> float:
        """Return the delay of the task's first request, which started at `began`. Up to OWN_SLACK_S counts as 0."""
        late_s = max(0.0, began - self.intended)
        return late_s if self.waited or late_s > OWN_SLACK_S else 0.0


class Pacer:
    """The arrivals of one process. Each task waits for its arrival with `take`."""

    def __init__(
        self,
        count: Callable[[ArrivalEvent], None],
        record_lag: Callable[[str, float], None],
        seed: str | None = None,
    ) -> None:
        self._count = count
        self._record_lag = record_lag
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._waiting: dict[str, deque[Arrival]] = {}
        self._free: dict[str, deque[AsyncResult[Arrival | None]]] = {}
        self._greenlet: gevent.Greenlet | None = None
        self._over = False
        self._share: WorkerShare | None = None
        self._until_s = math.inf
        self._began = 0.0
        self._handed_out = 0
        self._order: Iterator[str] = iter(())

    def start(self, share: WorkerShare, weights: Mapping[str, float], until_s: float | None) -> None:
        """Start the arrivals whose intended start is before `until_s`. A second call does nothing."""
        if self._greenlet is None and not self._over:
            self._share, self._until_s = share, math.inf if until_s is None else until_s
            self._began = time.perf_counter()
            self._order = weighted_order(weights.items())
            self._greenlet = gevent.spawn(self._hand_out, share)

    def stop(self) -> None:
        """End the arrivals. Overdue arrivals start if a user is free. Arrivals that still wait for a user never start.

        Tasks that wait for an arrival get `None`.
        """
        if self._greenlet is not None:
            self._greenlet.kill()
        for _ in range(self._overdue()):
            self._arrive_next()
        self._over = True
        for _ in range(sum(map(len, self._waiting.values()))):
            self._count(ArrivalEvent.NEVER_STARTED)
        self._waiting.clear()
        for free in self._free.values():
            while free:
                free.popleft().set(None)

    def _overdue(self) -> int:
        """Return the number of arrivals whose intended start has passed but which were not handed out."""
        if self._share is None:
            return 0
        elapsed_s = min(time.perf_counter() - self._began, self._until_s)
        return max(0, self._share.count_before(elapsed_s) - self._handed_out)

    def take(self, user_class: str) -> Arrival | None:
        """Wait for the next arrival of a class and return it. `None` after the last one."""
        if self._over:
            return None
        waiting = self._waiting.get(user_class)
        if waiting:
            return self._started(waiting.popleft()._replace(waited=True))
        ticket: AsyncResult[Arrival | None] = AsyncResult()
        self._free.setdefault(user_class, deque()).append(ticket)
        try:
            arrival = ticket.get()
        except BaseException:
            self._give_back(user_class, ticket)
            raise
        return None if arrival is None else self._started(arrival)

    def _hand_out(self, share: WorkerShare) -> None:
        while (start_s := share.start_s(self._handed_out)) is not None and start_s < self._until_s:
            delay_s = self._began + start_s - time.perf_counter()
            # If the pacer is late, it yields only once per YIELD_EVERY arrivals, so that it can catch up.
            if delay_s > 0 or self._handed_out % YIELD_EVERY == 0:
                gevent.sleep(max(0.0, delay_s))
            self._arrive_next()

    def _arrive_next(self) -> None:
        user_class = next(self._order, None)
        start_s = None if self._share is None else self._share.start_s(self._handed_out)
        number = self._random.random()
        if user_class is None:
            self._count(ArrivalEvent.NEVER_STARTED)
        elif start_s is not None:
            self._arrive(user_class, Arrival(self._began + start_s, number))
        self._handed_out += 1

    def _arrive(self, user_class: str, arrival: Arrival) -> None:
        free = self._free.get(user_class)
        if free:
            free.popleft().set(arrival)
        elif sum(map(len, self._waiting.values())) < MAX_WAITING:
            self._waiting.setdefault(user_class, deque()).append(arrival)
        else:
            self._count(ArrivalEvent.DROPPED)

    def _started(self, arrival: Arrival) -> Arrival:
        now = time.perf_counter()
        if now - arrival.intended > LATE_S:
            self._count(ArrivalEvent.LATE)
        if not arrival.waited:
            self._record_lag(ARRIVAL, arrival.lateness_s(now) * 1000)
        return arrival

    def _give_back(self, user_class: str, ticket: AsyncResult[Arrival | None]) -> None:
        """Pass the arrival of a killed user to another user, if the killed user has already received one."""
        free = self._free[user_class]
        if ticket in free:
            free.remove(ticket)
        elif ticket.successful() and (arrival := ticket.value) is not None:
            if self._over:
                self._count(ArrivalEvent.NEVER_STARTED)
            else:
                self._arrive(user_class, arrival)


_active: Pacer | None = None


def activate(pacer: Pacer | None) -> None:
    """Set the pacer from which the users of this process take their arrivals; `None` for a closed model."""
    global _active  # noqa: PLW0603 - Locust creates the users, so the pacer cannot be passed to them
    _active = pacer


def active() -> Pacer | None:
    """Return the pacer of this process. `None` in a closed model."""
    return _active
