"""Test that arrivals of a worker wait for its lease, and that a change of its share starts none of them twice."""

from __future__ import annotations

from collections import Counter

import gevent

from loadgate.generator.pacer import LATE_S, Arrival, Pacer
from loadgate.shape.arrivals import ArrivalEvent, parse_rate
from loadgate.shape.shares import WorkerShare

SCHEDULE = parse_rate("100/s")
WEIGHTS = {"User": 1.0}


class Started:
    """A pacer with enough free users, the arrivals that they got, and what was counted."""

    def __init__(self) -> None:
        self.counts: Counter[ArrivalEvent] = Counter()
        self.arrivals: list[Arrival] = []
        self.late_s: list[float] = []
        self.pacer = Pacer(lambda event: self.counts.update([event]), self.late_s.append, lambda *_: None)
        self._users = [gevent.spawn(self._take) for _ in range(200)]

    def _take(self) -> None:
        if (arrival := self.pacer.take("User")) is not None:
            self.arrivals.append(arrival)

    def stop(self) -> None:
        self.pacer.stop()
        gevent.joinall(self._users)


def test_arrivals_wait_for_the_lease_and_those_long_overdue_never_start() -> None:
    started, has_lease = Started(), False
    started.pacer.start(SCHEDULE, WorkerShare(), WEIGHTS, 0.5, may_start=lambda: has_lease, skip_after_s=0.1)
    gevent.sleep(0.4)
    assert (started.arrivals, started.pacer.handed_out) == ([], 0)

    has_lease = True
    gevent.sleep(0.4)
    started.stop()

    skipped = started.counts[ArrivalEvent.NEVER_STARTED]
    assert skipped == started.counts[ArrivalEvent.OF_LOST_WORKERS] >= 25
    assert len(started.arrivals) + skipped == started.pacer.handed_out == 50


def test_arrivals_without_a_lease_at_the_end_are_not_handed_out() -> None:
    started = Started()
    started.pacer.start(SCHEDULE, WorkerShare(), WEIGHTS, 0.2, may_start=lambda: False)
    gevent.sleep(0.2)
    started.stop()

    assert (started.pacer.handed_out, started.counts) == (0, Counter())


def test_a_worker_holds_and_continues_with_its_new_share() -> None:
    started = Started()
    started.pacer.start(SCHEDULE, WorkerShare(0, 2), WEIGHTS, 0.8)
    gevent.sleep(0.1)
    stop = started.pacer.hold(30)
    assert stop >= 30
    gevent.sleep(0.4)
    assert started.pacer.handed_out == stop // 2

    first = max(40, stop)
    started.pacer.take_over(WorkerShare(0, 1, first), WEIGHTS, keeps_old_share=True)
    gevent.sleep(0.5)
    started.stop()

    # Every second arrival of the old share, and all 80 from the first one of the new share on.
    assert len(started.arrivals) == len({arrival.intended for arrival in started.arrivals}) == first // 2 + 80 - first
    assert started.counts[ArrivalEvent.NEVER_STARTED] == 0


def test_a_lost_share_is_not_continued() -> None:
    started, has_lease = Started(), True
    started.pacer.start(SCHEDULE, WorkerShare(0, 2), WEIGHTS, 0.6, may_start=lambda: has_lease)
    gevent.sleep(0.1)
    has_lease = False
    gevent.sleep(0.2)
    before = started.pacer.handed_out

    started.pacer.take_over(WorkerShare(1, 2, first=40), WEIGHTS, keeps_old_share=False)
    has_lease = True
    gevent.sleep(0.5)
    started.stop()

    # Of the arrivals from 40 to 59, every second one.
    assert before > 0
    assert len(started.arrivals) == before + 10


def test_an_arrival_that_had_to_wait_says_how_late_it_started() -> None:
    started = Started()
    started.pacer.start(SCHEDULE, WorkerShare(), WEIGHTS, 0.5, may_start=lambda: has_lease)
    has_lease = False
    gevent.sleep(0.2)
    has_lease = True
    gevent.sleep(0.2)
    started.stop()
    assert max(started.late_s) >= 0.15
    assert all(late_s > LATE_S for late_s in started.late_s)
