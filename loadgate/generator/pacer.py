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

from loadgate.shape.arrivals import ArrivalEvent, ArrivalSchedule
from loadgate.shape.shares import AssignedArrivals, WorkerShare
from loadgate.shape.weighted import weighted_order

LATE_S = 0.05
"""An arrival counts as late if it starts this long after its intended start: ten times the error of a timer."""

OWN_SLACK_S = 0.005
"""The time that a timer and the client need to send a request if a user is free. A delay of up to this value is not
part of the response time. A longer delay is part of the response time and counts as lag of the generator."""

ARRIVAL = "arrival"
"""The name under which the generator's own delay of arrivals is recorded."""

YIELD_EVERY = 10
PAUSE_S = 0.05
"""Interval in which arrivals that may not start are tried again."""

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
        count_late: Callable[[float], None],
        record_lag: Callable[[str, float], None],
        seed: str | None = None,
    ) -> None:
        self._count = count
        self._count_late = count_late
        self._record_lag = record_lag
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._waiting: dict[str, deque[Arrival]] = {}
        self._free: dict[str, deque[AsyncResult[Arrival | None]]] = {}
        self._greenlet: gevent.Greenlet | None = None
        self._over = False
        self._arrivals: AssignedArrivals | None = None
        self._until_s = math.inf
        self._may_start: Callable[[], bool] = lambda: True
        self._skip_after_s = math.inf
        self._began = 0.0
        self._order: Iterator[str] = iter(())

    @property
    def is_over(self) -> bool:
        """Return whether the arrivals have ended."""
        return self._over

    @property
    def has_started(self) -> bool:
        """Return whether the arrivals have started."""
        return self._arrivals is not None

    @property
    def free_users(self) -> int:
        """Return the number of users that wait for an arrival."""
        return sum(map(len, self._free.values()))

    @property
    def handed_out(self) -> int:
        """Return the number of arrivals that were started, dropped or counted as never started."""
        return self._arrivals.handed_out if self._arrivals is not None else 0

    def start(
        self,
        schedule: ArrivalSchedule,
        share: WorkerShare,
        weights: Mapping[str, float],
        until_s: float | None,
        *,
        elapsed_s: float = 0.0,
        may_start: Callable[[], bool] = lambda: True,
        skip_after_s: float = math.inf,
    ) -> None:
        """Start the arrivals of a share whose intended start is before `until_s`. A second call does nothing.

        The schedule started `elapsed_s` ago. Arrivals wait while `may_start` returns False. Those that are then overdue
        by more than `skip_after_s` never start.
        """
        if not self.has_started and not self._over:
            self._arrivals = AssignedArrivals(schedule, share)
            self._until_s = math.inf if until_s is None else until_s
            self._may_start, self._skip_after_s = may_start, skip_after_s
            self._began = time.perf_counter() - elapsed_s
            self._order = weighted_order(weights.items())
            self._resume()

    def hold(self, index: int) -> int:
        """Promise to start no arrival from `index` of the schedule on, or from a higher one, which is returned."""
        self._interrupt()
        stop = self._arrivals.hold(index) if self._arrivals is not None else index
        self._resume()
        return stop

    def take_over(self, share: WorkerShare, weights: Mapping[str, float], *, keeps_old_share: bool) -> None:
        """Replace the share. `keeps_old_share` says whether arrivals before the new share still belong to the old."""
        self._interrupt()
        if self._arrivals is not None:
            (self._arrivals.continue_with if keeps_old_share else self._arrivals.start_over_with)(share)
        self._order = weighted_order(weights.items())
        self._resume()

    def _interrupt(self) -> None:
        """End the greenlet before a change, because it may be waiting for an arrival that gets another owner."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _resume(self) -> None:
        if self.has_started and not self._over:
            self._greenlet = gevent.spawn(self._hand_out)

    def stop(self) -> None:
        """End the arrivals. Overdue arrivals start if a user is free. Arrivals that still wait for a user never start.

        Tasks that wait for an arrival get `None`.
        """
        self._interrupt()
        until_s = min(time.perf_counter() - self._began, self._until_s)
        while (start_s := self._next_start_s(until_s)) is not None and self._may_start():
            self._arrive_next(start_s)
        self._over = True
        for _ in range(sum(map(len, self._waiting.values()))):
            self._count(ArrivalEvent.NEVER_STARTED)
        self._waiting.clear()
        for free in self._free.values():
            while free:
                free.popleft().set(None)

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

    def _next_start_s(self, until_s: float) -> float | None:
        """Return the intended start of the next arrival. `None` if it is not before `until_s`."""
        start_s = self._arrivals.next_start_s() if self._arrivals is not None else None
        return start_s if start_s is not None and start_s < until_s else None

    def _hand_out(self) -> None:
        while (start_s := self._next_start_s(self._until_s)) is not None:
            delay_s = self._began + start_s - time.perf_counter()
            # If the pacer is late, it yields only once per YIELD_EVERY arrivals, so that it can catch up.
            if delay_s > 0 or self.handed_out % YIELD_EVERY == 0:
                gevent.sleep(max(0.0, delay_s))
            if not self._may_start():
                gevent.sleep(PAUSE_S)
            elif time.perf_counter() - self._began - start_s > self._skip_after_s:
                self._skip_next()
            else:
                self._arrive_next(start_s)

    def _skip_next(self) -> None:
        self._count(ArrivalEvent.NEVER_STARTED)
        self._count(ArrivalEvent.OF_LOST_WORKERS)
        if self._arrivals is not None:
            self._arrivals.advance()

    def _arrive_next(self, start_s: float) -> None:
        user_class, number = next(self._order, None), self._random.random()
        if user_class is None:
            self._count(ArrivalEvent.NEVER_STARTED)
        else:
            self._arrive(user_class, Arrival(self._began + start_s, number))
        if self._arrivals is not None:
            self._arrivals.advance()

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
        if (late_s := now - arrival.intended) > LATE_S:
            self._count_late(late_s)
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
