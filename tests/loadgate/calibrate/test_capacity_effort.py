"""The least that a search has to measure: `python -m benchmarks.calibrate.capacity_effort`."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.capacity_effort import Effort, effort_of
from benchmarks.calibrate.capacity_simulated import QUEUES

MARKOV = QUEUES[0]


def test_the_effort_is_that_of_independent_requests_times_the_design_effect() -> None:
    """A share of 5 % with a slope of 10 changes by 0.244 on the logistic scale: 21.05 * (2.576 / 0.244)^2 requests."""
    independent = Effort(10, 1).requests(0.05)
    assert independent == pytest.approx(2347, rel=0.01)
    assert Effort(10, 4).requests(0.05) == pytest.approx(4 * independent)
    assert Effort(20, 1).requests(0.05) == pytest.approx(independent / 4)
    assert Effort(10, 1).requests(0.1025) == pytest.approx(independent / 4)


def test_requests_of_a_queue_are_dependent() -> None:
    effort = effort_of(MARKOV, 900)
    assert effort.slope == pytest.approx(7, abs=2.5)
    assert 5 < effort.effect < 60
