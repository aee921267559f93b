"""Round numbers for the labels of an axis."""

from __future__ import annotations

import pytest

from loadgate.report.ticks import log_ticks, round_step, ticks_from_0


@pytest.mark.parametrize(("least", "step"), [(0.3, 0.5), (1, 1), (1.01, 2), (4.9, 5), (5.1, 10), (0.002, 0.002)])
def test_a_round_step_is_not_below_the_least(least: float, step: float) -> None:
    assert round_step(least) == pytest.approx(step)


@pytest.mark.parametrize(
    ("high", "ticks"),
    [(2.0, [0, 0.5, 1, 1.5, 2]), (2.01, [0, 1, 2, 3]), (0.001, [0, 0.0005, 0.001]), (37, [0, 10, 20, 30, 40])],
)
def test_ticks_from_0_enclose_the_values(high: float, ticks: list[float]) -> None:
    assert ticks_from_0(high, 5) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (3.1, 1200, [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]),
        (1.1, 1.4, [1, 2]),
        (5, 5, [5, 10]),
        (0.001, 0.001, [0.001, 0.002]),
        (1, 60_000, [1, 10, 100, 1000, 10_000, 100_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high, 10) == pytest.approx(ticks)


def test_a_long_logarithmic_axis_has_few_ticks() -> None:
    ticks = log_ticks(1e-3, 1e9, 5)
    assert len(ticks) <= 5
    assert ticks == pytest.approx([1e-3, 1, 1e3, 1e6, 1e9])
    assert log_ticks(1e-3, 1e9, 6)[-1] >= 1e9
