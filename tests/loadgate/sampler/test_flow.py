"""Test the conversion of amounts to amounts per second."""

from __future__ import annotations

import random

import pytest

from loadgate.sampler.flow import Flow


def rows(*amounts: tuple[float, float, float]) -> dict[int, float]:
    flow = Flow()
    return dict([row for amount in amounts for row in flow.add(*amount)] + list(flow.end()))


def test_an_amount_of_one_second_is_its_rate() -> None:
    assert rows((100.0, 101.0, 0.5)) == {100: 0.5}


def test_a_long_interval_is_spread_over_its_seconds() -> None:
    assert rows((100.0, 103.0, 6.0)) == {100: 2.0, 101: 2.0, 102: 2.0}


def test_a_second_is_shared_by_two_intervals() -> None:
    got = rows((100.0, 101.5, 1.5), (101.5, 102.0, 1.0))
    assert got == {100: pytest.approx(1.0), 101: pytest.approx(0.5 + 1.0)}


def test_the_rate_of_a_partly_measured_second_refers_to_the_measured_part() -> None:
    assert rows((100.5, 101.0, 1.0)) == {100: pytest.approx(2.0)}


def test_a_second_that_was_hardly_measured_has_no_value() -> None:
    assert rows((100.9, 101.0, 1.0)) == {}
    assert rows((100.0, 101.1, 1.1)) == {100: pytest.approx(1.0)}


@pytest.mark.parametrize("end_s", [100.0, 99.0, 100.0 + 10 * 365 * 86_400])
def test_an_amount_between_moments_of_a_clock_that_was_set_is_ignored(end_s: float) -> None:
    assert rows((100.0, end_s, 5.0), (200.0, 201.0, 0.5)) == {200: 0.5}


def test_the_sum_is_the_measured_amount_even_if_readings_are_late() -> None:
    rnd = random.Random(1)
    flow, at_s, total, summed = Flow(), 1000.0, 0.0, 0.0
    while at_s < 1200:
        end_s = min(1200.0, at_s + rnd.choice([0.3, 1.0, 1.01, 2.7]))
        amount = rnd.random()
        total += amount
        summed += sum(rate for _, rate in flow.add(at_s, end_s, amount))
        at_s = end_s
    assert summed == pytest.approx(total)
