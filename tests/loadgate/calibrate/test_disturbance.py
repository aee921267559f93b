"""Test the known function of the draining stub: the added delay, and the moment from which it is below a value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.calibrate.stubs.disturbance import Disturbance, Drain, Overload

BEGAN, ENDED = 1000.0, 1010.0


def disturbed(drain: Drain, *moments: float) -> Disturbance:
    """A disturbance that begins and ends at the moments by turns."""
    disturbance = Disturbance(drain)
    for place, moment in enumerate(moments):
        disturbance.turn(moment, on=place % 2 == 0)
    return disturbance


def test_the_delay_grows_to_its_peak_and_drains_by_e_in_tau() -> None:
    disturbance = Disturbance(Drain(peak_s=0.5, build_s=5, tau_s=20))
    assert disturbance.added_s(BEGAN) == 0
    disturbance.turn(BEGAN, on=True)
    added = [disturbance.added_s(BEGAN + after) for after in (0, 1, 2.5, 5, 10)]
    assert added == pytest.approx([0, 0.1, 0.25, 0.5, 0.5])
    disturbance.turn(ENDED, on=False)
    drained = [disturbance.added_s(ENDED + after) for after in (0, 20, 40)]
    assert drained == pytest.approx([0.5, 0.5 / math.e, 0.5 / math.e**2])


@pytest.mark.parametrize("tau_s", [5, 20, 60])
def test_it_is_calm_once_the_delay_has_drained_below_a_value(tau_s: float) -> None:
    disturbance = disturbed(Drain(0.5, 5, tau_s), BEGAN, ENDED)
    assert disturbance.calm_from(0.05) == pytest.approx(ENDED + tau_s * math.log(10))


def test_a_delay_that_never_drains_is_never_calm() -> None:
    disturbance = disturbed(Drain(0.5, 5, math.inf), BEGAN, ENDED)
    assert disturbance.added_s(ENDED + 1e6) == 0.5
    assert disturbance.calm_from(0.4) is None
    assert disturbance.calm_from(0.5) == BEGAN


def test_nothing_is_ever_below_0() -> None:
    assert disturbed(Drain(0.5, 5, 20), BEGAN, ENDED).calm_from(0) is None


def test_a_disturbance_without_a_delay_is_calm_from_its_beginning() -> None:
    disturbance = disturbed(Drain(0, 5, 20), BEGAN, ENDED)
    assert disturbance.added_s(ENDED) == 0
    assert disturbance.calm_from(0) == BEGAN
    assert disturbance.truth(0)["ended"] == ENDED


@pytest.mark.parametrize("moments", [(), (BEGAN,), (BEGAN, ENDED, 1011.0)])
def test_nothing_is_said_to_be_over_before_it_is(moments: tuple[float, ...]) -> None:
    disturbance = disturbed(Drain(0.5, 5, 20), *moments)
    assert disturbance.calm_from(0.1) is None
    assert disturbance.truth(0.1)["ended"] is None


def test_to_turn_on_what_is_on_changes_nothing() -> None:
    disturbance = disturbed(Drain(0.5, 5, 20), BEGAN)
    disturbance.turn(BEGAN + 1, on=True)
    assert [turn.at for turn in disturbance.turns] == [BEGAN]


def test_a_second_disturbance_adds_to_what_is_left_of_the_first() -> None:
    disturbance = disturbed(Drain(0.5, 5, 20), BEGAN, ENDED, ENDED + 20, ENDED + 21)
    assert disturbance.turns[-1].level_s == pytest.approx(0.5 / math.e + 0.1)


@given(
    times=st.lists(st.tuples(st.floats(0.01, 50), st.floats(0.01, 50)), min_size=1, max_size=3),
    tau_s=st.floats(0.5, 100),
    below_s=st.floats(0.001, 0.6),
)
def test_no_delay_is_above_the_value_once_it_is_calm(
    times: list[tuple[float, float]], tau_s: float, below_s: float
) -> None:
    """The times are how long each disturbance is on, and off before the next."""
    drain, moments = Drain(0.5, 5, tau_s), [BEGAN]
    for on_s, off_s in times:
        moments += [moments[-1] + on_s, moments[-1] + on_s + off_s]
    *moments, end = moments
    disturbance = disturbed(drain, *moments)
    calm = disturbance.calm_from(below_s)
    assert calm is not None
    for turn, until in zip(disturbance.turns, [*moments[1:], end + 1000], strict=True):
        for step in range(21):
            moment = turn.at + (until - turn.at) * step / 20
            added_s = (drain.grown if turn.on else drain.drained)(turn.level_s, moment - turn.at)
            assert moment < calm + 1e-6 or added_s <= below_s * (1 + 1e-6)
    if calm > BEGAN:
        drains = max((turn for turn in disturbance.turns if not turn.on and turn.at <= calm), key=lambda turn: turn.at)
        assert drain.drained(drains.level_s, calm - drains.at) == pytest.approx(below_s, rel=1e-6)


def test_an_overload_is_more_arrivals_within_a_second_than_the_limit() -> None:
    overload = Overload(limit_per_s=3)
    for moment in (0.0, 0.25, 0.5):
        overload.arrived(moment)
    assert not overload.on(0.5)
    overload.arrived(0.75)
    assert overload.on(0.75)
    assert not overload.on(1.0)
