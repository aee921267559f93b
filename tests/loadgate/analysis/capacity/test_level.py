"""Whether a rate holds or breaks."""

from __future__ import annotations

from random import Random

import pytest

from loadgate.analysis.capacity.autocorrelation import autocorrelation_of, autocorrelation_of_queue
from loadgate.analysis.capacity.level import QUEUE, Level, State, level_of
from loadgate.analysis.capacity.little import Flow
from loadgate.analysis.capacity.trial import Criterion, Second
from tests.loadgate.analysis.capacity.made_trials import RULE, trial


def level(*shares: float, rate_per_s: float = 100) -> Level:
    return level_of([trial(rate_per_s, share) for share in shares], [RULE])


@pytest.mark.parametrize(
    ("shares", "state"),
    [
        ((0.0,), State.HOLDS),
        ((0.03,), State.HOLDS),
        ((0.05,), State.UNDECIDED),
        ((0.08,), State.UNDECIDED),  # near the limit, one trial does not break a rate
        ((0.08, 0.08), State.BREAKS),
        ((0.5,), State.BREAKS),
    ],
)
def test_the_interval_of_the_share_decides(shares: tuple[float, ...], state: State) -> None:
    assert level(*shares).state is state


def test_dependent_requests_are_worth_less() -> None:
    independent = level(0.03)
    bursts = tuple(Second(100, 30 if second % 10 == 0 else 0) for second in range(30))
    dependent = level_of([trial(100, 0, seconds={RULE.rule: bursts})], [RULE])
    assert independent.shares[0].bad == dependent.shares[0].bad
    assert independent.state is State.HOLDS
    assert dependent.state is State.UNDECIDED
    assert dependent.shares[0].effect is not None
    assert dependent.shares[0].effect.value > 5


def test_a_rule_without_requests_is_undecided() -> None:
    assert level_of([trial(100, 0, seconds={})], [RULE]).state is State.UNDECIDED


def test_a_limit_of_zero_allows_no_bad_request() -> None:
    none = Criterion(RULE.rule, 0.0)
    assert level_of([trial(100, 0)], [none]).state is State.HOLDS
    assert level_of([trial(100, 0.01)], [none]).state is State.BREAKS


def test_all_rules_must_hold_and_the_farthest_breaks_first() -> None:
    other = Criterion("auth: p99 < 1s", 0.01)
    seconds = {RULE.rule: (Second(100, 50),) * 30, other.rule: (Second(100, 90),) * 30}
    found = level_of([trial(100, 0, seconds=seconds)], [RULE, other])
    assert found.state is State.BREAKS
    assert set(found.broken) == {RULE.rule, other.rule}
    fine = level_of([trial(100, 0, seconds={**seconds, other.rule: (Second(100, 0),) * 30})], [RULE, other])
    assert fine.broken == (RULE.rule,)


def test_a_growing_queue_breaks_although_answers_are_fast() -> None:
    growing = tuple(10.0 + 5 * second for second in range(30))
    found = level_of([trial(100, 0, completions=2850, in_flight=growing)], [RULE])
    assert found.broken == (QUEUE,)


def test_a_queue_that_only_fluctuates_does_not_break() -> None:
    random = Random(1)
    noise = tuple(10 + random.gauss(0, 3) for _ in range(30))
    assert level_of([trial(100, 0, completions=2960, in_flight=noise)], [RULE]).state is State.HOLDS
    assert level_of([trial(100, 0, completions=2900, in_flight=noise)], [RULE]).state is State.UNDECIDED


def test_arrivals_that_never_started_break() -> None:
    assert level_of([trial(100, 0, lost=0.1)], [RULE]).broken == (QUEUE,)
    assert level_of([trial(100, 0, lost=0.001)], [RULE]).state is State.HOLDS


def test_a_trial_shorter_than_its_autocorrelation_does_not_hold() -> None:
    wave = tuple(20 + 15 * (second // 10 % 2) + 0.1 * second for second in range(30))
    slow = level_of([trial(100, 0, in_flight=wave)], [RULE])
    assert not slow.is_settled
    assert slow.state is State.UNDECIDED
    assert autocorrelation_of_queue([tuple(20 + 0.1 * value for value in wave)]).factor == 0


def test_the_autocorrelation_of_a_series() -> None:
    random, value, values = Random(2), 0.0, []
    for _ in range(5000):
        value = 0.8 * value + random.gauss(0, 1)
        values.append(value)
    assert autocorrelation_of([values]).factor == pytest.approx(0.8, abs=0.03)
    assert autocorrelation_of([values]).seconds == pytest.approx(4.5, abs=0.8)
    assert autocorrelation_of([[random.gauss(0, 1) for _ in range(5000)]]).factor < 0.05
    assert autocorrelation_of([]).factor == autocorrelation_of([[1.0] * 30]).factor == 0


def test_littles_law() -> None:
    assert Flow(1000, 995, at_start=0, at_end=0, longest_s=1).problem == ""
    assert Flow(1000, 900, at_start=60, at_end=60, longest_s=1).problem == ""
    assert "Little's law" in Flow(1000, 900, at_start=0, at_end=0, longest_s=1).problem
    assert Flow(0, 0, 0, 0, 0).problem == ""
