"""A reduced form of the simulation of searches: `python -m benchmarks.calibrate.capacity_simulated`."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.calibrate.capacity_simulated import (
    QUEUES,
    SPECIAL,
    Simulated,
    Special,
    faults,
    row,
    simulate,
    special_faults,
)
from benchmarks.calibrate.queues import ALLOWED, RULE, Queue, even
from loadgate.analysis.capacity.plan import End, Ending

CLOSED_FORMS = (*QUEUES[:4], even("D/E3/1", 1 / 60, 0.06, phases=3))


@pytest.mark.parametrize("queue", CLOSED_FORMS, ids=str)
def test_the_capacity_is_where_the_share_is_as_large_as_allowed(queue: Queue) -> None:
    (seconds,) = queue.trial(queue.capacity_per_s, 1500, 20, Random(1)).seconds.values()
    share = sum(second.bad for second in seconds) / sum(second.requests for second in seconds)
    assert share == pytest.approx(ALLOWED, abs=0.01)


@pytest.mark.parametrize("number", range(len(QUEUES)), ids=lambda number: str(QUEUES[number]))
def test_bounds_enclose_the_capacity(number: int) -> None:
    found = [simulate(number, seed) for seed in range(2)]
    assert faults(found) == []
    assert row(QUEUES[number], found).startswith(f"| {QUEUES[number]} | ")
    assert all(one.end.holds is not None for one in found)


@pytest.mark.parametrize("case", SPECIAL, ids=str)
def test_special_cases_end_as_they_must(case: Special) -> None:
    assert special_faults(case, [case.search(1)]) == []


def test_a_wrong_bound_is_counted() -> None:
    wrong = Simulated(End(Ending.SUSTAINS, 101, 104), 100, 600, 12)
    right = Simulated(End(Ending.SUSTAINS, 98, 101), 100, 600, 12)
    assert (wrong.is_wrong, right.is_wrong) == (True, False)
    assert faults([wrong] * 5 + [right] * 5) == ["50.00% wrong bounds, and at most 2% are allowed"]
    assert special_faults(SPECIAL[1], [right])
    assert RULE.limit == ALLOWED
