"""Test that the process with stalls has the quantiles and the design effect that it says, by simulation."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.stubs.stalls import Lognormal, Stalls
from benchmarks.calibrate.stubs.started import stub

RATE = 20


def share_above(by_second: list[list[float]], limit_ms: float) -> tuple[int, int]:
    return sum(latency > limit_ms for second in by_second for latency in second), sum(map(len, by_second))


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95, 0.99])
def test_the_true_quantile_is_that_of_a_long_simulation(quantile: float) -> None:
    stalls = Stalls(mean_s=0.2)
    assert stalls.above(stalls.quantile_ms(quantile)) == pytest.approx(1 - quantile)
    above, requests = share_above(stalls.seconds(RATE, 10_000, seed=1), stalls.quantile_ms(quantile))
    assert requests == pytest.approx(200_000, rel=0.01)
    assert above / requests == pytest.approx(1 - quantile, rel=0.05)


def variance_ratio(stalls: Stalls, repeats: int = 500, seconds: int = 30) -> float:
    """The variance of the share above the true p95, in multiples of that of independent requests."""
    total = 0.0
    for seed in range(repeats):
        above, requests = share_above(stalls.seconds(RATE, seconds, seed), stalls.quantile_ms(0.95))
        total += (above - 0.05 * requests) ** 2 / requests
    return total / repeats / (0.05 * 0.95)


@pytest.mark.parametrize("design_effect", [pytest.param(3.0, marks=pytest.mark.full), 10.0])
def test_the_design_effect_is_that_of_repeated_runs(design_effect: float) -> None:
    stalls = Stalls.with_design_effect(design_effect, RATE)
    assert stalls.design_effect(RATE) == pytest.approx(design_effect)
    # The standard error of a variance from 500 repeats is at least 6 %.
    assert variance_ratio(stalls) == pytest.approx(design_effect, rel=0.2)


def test_requests_without_dependence_have_a_design_effect_of_1() -> None:
    same = Stalls(mean_s=0.4, usual=Lognormal(20, 0.3), slow=Lognormal(20, 0.3))
    assert same.design_effect(RATE) == 1
    assert variance_ratio(same) == pytest.approx(1, rel=0.2)


def test_requests_of_one_stall_are_slow_together() -> None:
    stalls = Stalls(mean_s=50.0, usual=Lognormal(1, 0.1), slow=Lognormal(1000, 0.1))
    by_second = stalls.seconds(RATE, 2000, seed=3)
    mixed = [second for second in by_second if second and min(second) < 500 < max(second)]
    slow = [second for second in by_second if second and min(second) > 500]
    assert len(slow) > 50
    assert len(mixed) < len(slow) / 5


def test_a_seed_gives_the_same_latencies_each_time() -> None:
    stalls = Stalls(mean_s=0.2)
    assert stalls.seconds(RATE, 20, seed=5) == stalls.seconds(RATE, 20, seed=5) != stalls.seconds(RATE, 20, seed=6)


@pytest.mark.process
def test_the_stub_has_the_process_that_its_options_ask_for() -> None:
    with stub("stalling", "--rate", 50, "--design-effect", 10, "--seed", 2) as stalling:
        for _ in range(20):
            assert stalling.get("/") == "ok\n"
        truth = stalling.truth()
    expected = Stalls.with_design_effect(10, 50)
    assert truth["design_effect"] == pytest.approx(10)
    assert truth["stalls"]["mean_s"] == expected.mean_s
    assert truth["quantiles_ms"]["p95"] == expected.quantile_ms(0.95)
    assert truth["requests"] == 20
    assert 0 <= truth["above"] <= 20
