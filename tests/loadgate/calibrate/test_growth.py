"""A reduced form of the simulation of leaks: `python -m benchmarks.calibrate.growth`."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.growth import BUDGET_PER_H, CAUSES, right_kinds, simulate
from benchmarks.calibrate.growth_series import HEALTHY, LEAKS, MB, NOISE, SHAPES, Kind
from loadgate.analysis.growth.kind import Cause

# With 150 series and a true share of 5 %, more than 17 alarms have a probability of 0.1 %.
SERIES, MOST = 150, 17 / 150
FEW = 25


@pytest.mark.parametrize("kind", [kind for kind in NOISE if "random walk" in kind.name], ids=lambda kind: kind.name)
def test_random_walks_rarely_raise_an_alarm_and_intervals_rarely_miss(kind: Kind) -> None:
    found = simulate(kind, 300, SERIES, budget_per_h=0.0)
    assert found.grows <= MOST
    assert 0 < found.misses <= MOST


@pytest.mark.parametrize("kind", NOISE, ids=lambda kind: kind.name)
def test_series_without_a_trend_rarely_raise_an_alarm(kind: Kind) -> None:
    assert simulate(kind, 1800, FEW, budget_per_h=0.0).grows <= 0.2


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seconds", [300, 1800])
def test_what_grows_and_stops_is_no_leak(kind: Kind, seconds: int) -> None:
    assert simulate(kind, seconds, FEW, BUDGET_PER_H[kind.unit]).grows <= 1 / FEW


@pytest.mark.parametrize("kind", HEALTHY, ids=lambda kind: kind.name)
def test_thirty_minutes_show_that_a_healthy_service_is_flat(kind: Kind) -> None:
    assert simulate(kind, 1800, FEW, BUDGET_PER_H[kind.unit]).holds >= 0.9


def test_five_minutes_show_a_leak_of_a_megabyte_a_minute() -> None:
    (leak,) = (kind for kind in LEAKS if kind.per_hour == 60 * MB)
    assert simulate(leak, 300, FEW, BUDGET_PER_H[leak.unit]).grows >= 0.9


@pytest.mark.parametrize("cause", CAUSES, ids=str)
def test_the_kind_of_a_growth_is_right(cause: Cause) -> None:
    assert right_kinds(cause, 300, FEW, per_hour=60 * MB) >= 0.8
