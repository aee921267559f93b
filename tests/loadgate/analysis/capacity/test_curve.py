"""The curve of the shares over the rate, and the bounds of the capacity by it."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from loadgate.analysis.capacity.crossing import bounds_by, crossings_of, next_to
from loadgate.analysis.capacity.curve import Curve, Point, curve_of
from loadgate.analysis.capacity.level import QUEUE, Level, level_of
from loadgate.analysis.capacity.plan import Ending, NextTrial, Purpose
from loadgate.analysis.capacity.trial import Trial
from tests.loadgate.analysis.capacity.made_trials import RULE, plan, search, trial

LIMIT = math.log(100.0)


def share(rate_per_s: float, *, slope: float = 10.0, noise: float = 0.0) -> float:
    """A share of bad requests that is as large as allowed at 100/s."""
    return 1 / (1 + math.exp(-(math.log(0.05 / 0.95) + slope * math.log(rate_per_s / 100) + noise)))


def points(random: Random, count: int, *, requests: int = 3000, spread: float = 0.5) -> list[Point]:
    """Trials of rates on both sides of the limit, whose shares vary more than those of independent requests."""
    found = []
    for number in range(count):
        rate = 100 * math.exp(0.1 if number % 2 else -0.1)
        slow = share(rate, noise=random.gauss(0, spread))
        found.append(Point(math.log(rate), sum(random.random() < slow for _ in range(requests)), requests))
    return found


def test_without_noise_the_limit_is_found() -> None:
    rates = (90.0, 95.0, 105.0, 110.0)
    exact = [Point(math.log(rate), round(1_000_000 * share(rate)), 1_000_000) for rate in rates]
    found = curve_of(exact, 0.05, LIMIT, 0.99)
    assert found is not None
    assert found.rate == pytest.approx(LIMIT, abs=1e-4)
    assert found.slope == pytest.approx(10, abs=0.01)
    assert found.low == pytest.approx(found.high, abs=1e-3)


def test_the_interval_covers_the_limit() -> None:
    random, missed, widths = Random(5), 0, []
    for _ in range(150):
        found = curve_of(points(random, 12, requests=400), 0.05, LIMIT, 0.9)
        assert found is not None
        if found.low is not None and found.high is not None:
            missed += not found.low <= LIMIT <= found.high
            widths.append(found.high - found.low)
    assert len(widths) > 140
    assert missed <= 0.17 * len(widths)
    assert sum(widths) / len(widths) < 0.15


def test_few_trials_of_a_flat_curve_have_no_bounds() -> None:
    flat = [Point(math.log(rate), bad, 1000) for rate, bad in ((90, 60), (95, 30), (105, 70), (110, 45))]
    found = curve_of(flat, 0.05, LIMIT, 0.99)
    assert found is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize(
    ("rates", "limit"),
    [((90, 95, 105), 0.05), ((100, 100, 100, 100), 0.05), ((110, 105, 95, 90), 0.0), ((10, 20, 200, 400), 0.05)],
)
def test_a_curve_needs_enough_rates_near_the_limit(rates: tuple[float, ...], limit: float) -> None:
    assert curve_of([Point(math.log(rate), 50, 1000) for rate in rates], limit, LIMIT, 0.99) is None


def test_a_curve_that_meets_the_limit_far_away_is_none() -> None:
    flat = [Point(math.log(rate), bad, 10_000) for rate, bad in ((90, 100), (95, 101), (105, 102), (110, 103))]
    assert curve_of(flat, 0.05, LIMIT, 0.99) is None


def test_a_curve_that_falls_is_none() -> None:
    falling = [Point(math.log(rate), round(1000 * share(10_000 / rate)), 1000) for rate in (90, 95, 105, 110)]
    assert curve_of(falling, 0.05, LIMIT, 0.99) is None


def test_the_next_rate_is_on_the_side_with_fewer_requests() -> None:
    below = Curve(LIMIT, LIMIT - 0.06, LIMIT + 0.04, 10.0, (Point(LIMIT - 0.1, 1, 100),))
    above = Curve(LIMIT, None, None, 10.0, (Point(LIMIT + 0.1, 1, 100),))
    assert next_to(below, 0.05, []) == pytest.approx(100 * math.exp(0.05), rel=1e-3)
    assert next_to(above, 0.05, []) == pytest.approx(100 * math.exp(-0.1), rel=1e-3)


def overloaded(rate_per_s: float) -> Level:
    return level_of([trial(rate_per_s, 1.0, completions=20 * rate_per_s)], [RULE])


@pytest.mark.parametrize(("breaks", "following"), [(120, 110.5), (108, 104), (102, 90.5), (95, 85.96)])
def test_a_rate_that_breaks_outside_the_curve_is_not_tried_again(breaks: float, following: float) -> None:
    curve = Curve(LIMIT, None, None, 10.0, (Point(LIMIT - 0.1, 1, 100),))
    assert next_to(curve, 0.05, [overloaded(breaks)]) == pytest.approx(following, rel=1e-3)


def test_if_a_curve_is_not_bounded_the_next_rates_are_lower_until_one_holds() -> None:
    near = tuple(Point(LIMIT + side, 1, 100) for side in (-0.02, 0.02, 0.03, 0.04) * 2)
    curve = Curve(LIMIT, None, None, 40.0, near)
    levels = [level_of([trial(50, 0.0)], [RULE])]
    rates = []
    for _ in range(4):
        rates.append(next_to(curve, 0.05, levels))
        levels.append(level_of([trial(rates[-1], 0.05 if rates[-1] > 91 else 0.0)], [RULE]))
    *lower, usual = rates
    assert lower == pytest.approx([97.5, 95.1, 90.5], abs=0.1)
    assert usual == lower[0]
    assert next_to(replace(curve, low=LIMIT - 0.1, high=LIMIT + 0.1), 0.05, levels[:2]) == lower[0]


def noisy(random: Random) -> list[Trial]:
    rates = (88.0, 90.0, 110.0, 112.0) * 3
    return [trial(rate, share(rate, noise=random.gauss(0, 0.2))) for rate in rates]


def test_a_growing_queue_is_a_bound_too() -> None:
    trials = noisy(Random(1))
    crossings = crossings_of(trials, [RULE], LIMIT)
    levels = [level_of([one], [RULE]) for one in trials[:4]]
    bounds = bounds_by(crossings, levels, [RULE])
    assert bounds.holds is not None
    assert bounds.breaks is not None
    assert bounds.holds < 100 < bounds.breaks
    growing = trial(101, 0.02, completions=2850, in_flight=tuple(10.0 + 5 * second for second in range(30)))
    queue = level_of([growing], [RULE])
    assert queue.broken == (QUEUE,)
    assert bounds_by(crossings, [*levels, queue], [RULE]).breaks == min(101, bounds.breaks)


def test_trials_shorter_than_their_autocorrelation_have_no_curve() -> None:
    wave = tuple(20 + 15 * (second // 10 % 2) + 0.1 * second for second in range(30))
    slow = [trial(rate, share(rate), in_flight=wave) for rate in (88, 90, 110, 112)]
    assert crossings_of(slow, [RULE], LIMIT) == ()
    assert len(crossings_of([trial(one.rate_per_s, share(one.rate_per_s)) for one in slow], [RULE], LIMIT)) == 1


def test_a_target_that_varies_gets_its_bounds_from_the_curve() -> None:
    random = Random(3)

    def measured(step: NextTrial) -> Trial:
        slow = share(step.rate_per_s, slope=12, noise=random.gauss(0, 0.5))
        return trial(step.rate_per_s, slow, length_s=step.length_s)

    end, state, steps = search(plan(), measured)
    assert end.ending is Ending.BETWEEN
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds < 100 < end.breaks < 1.25 * end.holds
    assert end.is_confirmed
    assert end.fit is not None
    assert end.fit.rule == RULE.rule
    assert end.wanted_budget_s is not None
    assert end.wanted_budget_s > 900
    assert steps[-1].purpose is Purpose.CONFIRM
    assert state.rule_bounds[RULE.rule].breaks == end.breaks
