"""The interval of a difference, from the intervals of two values."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest

from loadgate.analysis.differences import Measured, difference

Z = NormalDist().inv_cdf(0.975)


def test_symmetric_intervals_add_like_standard_errors() -> None:
    found = difference(Measured(10, 7, 13), Measured(20, 16, 24))
    assert (found.value, found.low, found.high) == (10, 5, 15)


def test_asymmetric_intervals_use_the_facing_bounds() -> None:
    found = difference(Measured(10, 9, 14), Measured(20, 17, 21))
    assert found.low == pytest.approx(10 - math.hypot(3, 4))
    assert found.high == pytest.approx(10 + math.hypot(1, 1))


@pytest.mark.parametrize(
    ("base", "head", "low", "high"),
    [
        (Measured(1, None, 2), Measured(3, 2, 4), True, False),
        (Measured(1, 0, None), Measured(3, 2, 4), False, True),
        (Measured(1, 0, 2), Measured(3, 2, None), True, False),
        (Measured(1, None, None), Measured(3, None, None), False, False),
    ],
)
def test_an_unknown_bound_makes_one_bound_unknown(base: Measured, head: Measured, low: bool, high: bool) -> None:
    found = difference(base, head)
    assert (found.low is not None, found.high is not None) == (low, high)


def test_the_interval_contains_the_true_difference() -> None:
    rnd = random.Random(1)

    def measured(truth: float, spread: float) -> Measured:
        value = rnd.gauss(truth, spread)
        return Measured(value, value - Z * spread, value + Z * spread)

    found = [difference(measured(5, 1), measured(7, 2)) for _ in range(2000)]
    inside = sum((one.low or 0.0) <= 2 <= (one.high or 0.0) for one in found)
    assert 0.935 * 2000 <= inside <= 0.965 * 2000


def test_a_logarithm_needs_a_positive_value() -> None:
    assert Measured(0, 0, 1).logarithm() is None
    found = Measured(1, 0, math.e).logarithm()
    assert found is not None
    assert (found.value, found.low, found.high) == (0, None, 1)
