"""Offsets of made clocks: with drift, jumps, asymmetric and lost messages."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from loadgate.analysis.clock_offset import MAX_DRIFT, MAX_KEPT, Exchange, Offset, OffsetHistory, best_offset

BURST, INTERVAL_S = 8, 10.0


class MadeClocks:
    """A worker's clock, which is true, and a master's clock, which is `master(true time)`."""

    def __init__(self, master: Callable[[float], float], seed: int, loss: float = 0.0) -> None:
        self.master = master
        self.random = random.Random(seed)
        self.loss = loss
        self.there_s, self.back_s, self.jitter_s = 0.0005, 0.0005, 0.002

    def exchange(self, at_s: float) -> Exchange | None:
        if self.random.random() < self.loss:
            return None
        received = at_s + self.there_s + self.random.expovariate(1 / self.jitter_s)
        answered = received + 0.0001
        returned = answered + self.back_s + self.random.expovariate(1 / self.jitter_s)
        return Exchange(at_s, self.master(received), self.master(answered), returned)

    def burst(self, at_s: float) -> Offset | None:
        return best_offset(found for number in range(BURST) if (found := self.exchange(at_s + number * 0.02)))

    def follow(self, bursts: int) -> OffsetHistory:
        history = OffsetHistory()
        for number in range(bursts):
            if (offset := self.burst(number * INTERVAL_S)) is not None:
                history = history.learn(offset)
        return history


def test_equal_travel_times_give_the_exact_offset() -> None:
    exchange = Exchange(sent_s=10.0, received_s=1017.5, answered_s=1018.0, returned_s=11.5)
    assert (exchange.round_trip_s, exchange.offset_s) == (1.0, 1007.0)


def test_the_exchange_with_the_shortest_round_trip_is_used() -> None:
    slow, fast = Exchange(0.0, 8.0, 8.0, 2.0), Exchange(1.0, 8.01, 8.01, 1.02)
    assert best_offset([slow, fast, slow]) == Offset(1.02, pytest.approx(7.0), pytest.approx(0.01))


def test_exchanges_across_a_clock_that_was_set_back_do_not_count() -> None:
    assert best_offset([Exchange(10.0, 12.0, 12.1, 9.0), Exchange(10.0, 12.0, 11.0, 10.1)]) is None
    assert best_offset([]) is None


@pytest.mark.parametrize("skew_s", [0.0, 7.0, -86400.0, 1.8e9])
def test_the_true_offset_is_within_the_stated_error(skew_s: float) -> None:
    for seed in range(200):
        clocks = MadeClocks(lambda true_s: true_s + skew_s, seed, loss=0.3)
        if (found := clocks.burst(100.0)) is not None:
            assert abs(found.offset_s - skew_s) <= found.error_s + 1e-6
            assert found.error_s < 0.02


@pytest.mark.parametrize("asymmetry_s", [-0.2, 0.2])
def test_an_asymmetric_path_is_within_the_stated_error(asymmetry_s: float) -> None:
    clocks = MadeClocks(lambda true_s: true_s + 7, seed=1)
    clocks.there_s += max(0.0, asymmetry_s)
    clocks.back_s += max(0.0, -asymmetry_s)
    found = clocks.burst(0.0)
    assert found is not None
    assert found.offset_s - 7 == pytest.approx(asymmetry_s / 2, abs=0.005)
    assert abs(found.offset_s - 7) <= found.error_s < 0.11


def test_a_drift_is_stated_as_near_to_0_as_the_errors_allow() -> None:
    for seed in range(20):
        drift = MadeClocks(lambda true_s: true_s * (1 + 300e-6), seed).follow(30).least_drift
        assert 200e-6 < drift <= 300e-6
    assert -300e-6 <= MadeClocks(lambda true_s: true_s * (1 - 300e-6), 1).follow(30).least_drift < -200e-6


def test_clocks_without_drift_have_none_and_never_jump() -> None:
    for seed in range(200):
        history = MadeClocks(lambda true_s: true_s - 7, seed, loss=0.2).follow(30)
        assert (history.least_drift, history.jump_s) == (0.0, 0.0)


def test_drifting_clocks_are_followed() -> None:
    for drift in (-500e-6, 100e-6, 500e-6):
        clocks = MadeClocks(lambda true_s, drift=drift: true_s * (1 + drift), seed=3)
        history = clocks.follow(60)
        at_s = 59 * INTERVAL_S + 0.2
        assert history.jump_s == 0
        assert abs(history.at(at_s).offset_s - at_s * drift) <= history.at(at_s).error_s + 3e-3


@pytest.mark.parametrize("step_s", [-7.0, 0.3])
def test_a_jump_is_found_and_the_offset_follows_at_once(step_s: float) -> None:
    clocks = MadeClocks(lambda true_s: true_s + (step_s if true_s > 95 else 0.0), seed=5)
    history = clocks.follow(11)
    assert history.jump_s == pytest.approx(step_s, abs=0.02)
    assert history.at(100.2).offset_s == pytest.approx(step_s, abs=0.01)
    assert len(history.kept) == 1
    assert clocks.follow(30).least_drift == 0


def test_a_slow_burst_does_not_replace_a_better_offset() -> None:
    good = Offset(0.0, 7.0, 0.001)
    history = OffsetHistory().learn(good).learn(Offset(10.0, 7.3, 0.4))
    assert history.at(10.0) == Offset(10.0, 7.0, pytest.approx(0.001 + 10 * MAX_DRIFT))
    assert history.jump_s == 0


def test_the_history_is_bounded() -> None:
    history = MadeClocks(lambda true_s: true_s, seed=7).follow(500)
    assert len(history.kept) == MAX_KEPT
    assert replace(history, first=history.kept[0]).least_drift == 0
