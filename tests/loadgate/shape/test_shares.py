"""Test the shares of workers in the arrivals of a schedule, also when workers are lost and come back."""

from __future__ import annotations

import random

import pytest

from loadgate.shape.arrivals import ArrivalSchedule, parse_rate
from loadgate.shape.shares import AssignedArrivals, WorkerShare

SCHEDULES = [parse_rate("7/s"), parse_rate("1..50/s over 5s"), ArrivalSchedule()]


def taken(arrivals: AssignedArrivals, before: int) -> list[int]:
    """Take all arrivals whose index is below `before`."""
    found = []
    while (index := arrivals.next_index()) is not None and index < before:
        found.append(index)
        arrivals.advance()
    return found


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_shares_of_all_workers_cover_the_schedule_without_gaps_or_duplicates(workers: int) -> None:
    shares = [WorkerShare(worker, workers) for worker in range(workers)]

    found = [taken(AssignedArrivals(parse_rate("7/s"), share), 100) for share in shares]

    assert sorted(index for indices in found for index in indices) == list(range(100))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_share_starts_its_arrivals_when_the_schedule_does() -> None:
    arrivals = AssignedArrivals(parse_rate("10/s"), WorkerShare(worker=1, workers=4))
    starts = []
    for _ in range(3):
        starts.append(arrivals.next_start_s())
        arrivals.advance()

    assert starts == [pytest.approx(0.1), pytest.approx(0.5), pytest.approx(0.9)]
    assert arrivals.handed_out == 3


def test_a_schedule_without_arrivals_has_none_for_a_share() -> None:
    assert AssignedArrivals(ArrivalSchedule(), WorkerShare()).next_start_s() is None


@pytest.mark.parametrize(("worker", "workers"), [(-1, 2), (2, 2), (0, 0)])
def test_a_worker_number_out_of_range_is_refused(worker: int, workers: int) -> None:
    with pytest.raises(ValueError, match=f"worker {worker} is not one of"):
        WorkerShare(worker, workers)


def test_a_worker_holds_at_the_index_or_before_its_next_arrival() -> None:
    early, late = (AssignedArrivals(parse_rate("7/s"), WorkerShare(worker, 2)) for worker in (0, 1))
    taken(early, 10)
    taken(late, 30)

    assert early.hold(20) == 20
    assert late.hold(20) == 31
    assert taken(early, 1000) == [10, 12, 14, 16, 18]
    assert taken(late, 1000) == []


def test_a_worker_takes_the_rest_of_its_old_share_before_the_new_one() -> None:
    arrivals = AssignedArrivals(parse_rate("7/s"), WorkerShare(1, 3))
    taken(arrivals, 10)
    assert arrivals.hold(12) == 12

    arrivals.continue_with(WorkerShare(0, 1, first=15))

    assert taken(arrivals, 18) == [10, 13, 15, 16, 17]


def test_a_worker_that_starts_over_takes_no_arrival_of_its_old_share() -> None:
    arrivals = AssignedArrivals(parse_rate("7/s"), WorkerShare(1, 3))
    taken(arrivals, 10)

    arrivals.start_over_with(WorkerShare(0, 2, first=30))

    assert taken(arrivals, 35) == [30, 32, 34]
    assert arrivals.handed_out == 6


@pytest.mark.parametrize("seed", range(50))
def test_each_arrival_has_at_most_one_owner_however_workers_come_and_go(seed: int) -> None:
    """The cut lies in the future. A worker that stays can pass it before it is asked; a lost one is never that far."""
    rnd = random.Random(seed)
    schedule = parse_rate("100/s")
    workers = {name: AssignedArrivals(schedule, WorkerShare(name, 4)) for name in range(4)}
    members, started, first, now = set(workers), [], 0, 0
    for _ in range(6):
        now += rnd.randrange(1, 60)
        cut, lost_at = now + rnd.randrange(10), now
        now += rnd.randrange(25)
        staying = {name for name in members if rnd.random() < 0.7}
        for name in members:
            started += taken(workers[name], (now if name in staying else lost_at) - rnd.randrange(5))
        back = {name for name in workers if name not in members and rnd.random() < 0.5}
        first = max([cut, *(workers[name].hold(cut) for name in staying)])
        members = staying | back
        for number, name in enumerate(sorted(members)):
            share = WorkerShare(number, len(members), first)
            (workers[name].continue_with if name in staying else workers[name].start_over_with)(share)
    for name in members:
        started += taken(workers[name], now + 300)

    assert len(started) == len(set(started)) == sum(worker.handed_out for worker in workers.values())
    if members:
        assert set(started) >= set(range(first, now + 300))
