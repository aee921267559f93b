"""The search for the capacity: which rates it tries, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from loadgate.analysis.capacity.level import capacities
from loadgate.analysis.capacity.plan import End, Ending, NextTrial, Purpose
from loadgate.analysis.capacity.search import Search
from loadgate.analysis.capacity.trial import Second, Trial
from tests.loadgate.analysis.capacity.made_trials import RULE, plan, search, trial, up_to, void


@pytest.mark.parametrize("capacity_per_s", [3.0, 5.0, 41.3, 160.0, 163.2, 777.0])
def test_the_bounds_enclose_the_capacity(capacity_per_s: float) -> None:
    end, _, steps = search(plan(), up_to(capacity_per_s))
    assert end.ending is Ending.SUSTAINS
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= capacity_per_s < end.breaks <= end.holds * 1.05
    assert end.is_confirmed
    assert (steps[-1].purpose, steps[-1].rate_per_s, steps[-1].length_s) == (Purpose.CONFIRM, end.holds, 120)


def test_the_rate_doubles_until_it_breaks() -> None:
    _, _, steps = search(plan(), up_to(90))
    grown = [step.rate_per_s for step in steps if step.purpose is Purpose.GROW]
    assert grown == [5, 10, 20, 40, 80, 160]
    assert {step.length_s for step in steps if step.purpose is Purpose.GROW} == {15}


def test_no_rate_holds() -> None:
    end, _, _ = search(plan(), lambda step: trial(step.rate_per_s, 1))
    assert (end.ending, end.holds) == (Ending.NONE, None)
    assert end.breaks == pytest.approx(5 / 2**4, rel=0.03)


def test_a_search_that_is_stopped_keeps_its_bounds() -> None:
    stopped = Search(plan())
    assert stopped.stop("it was interrupted") == End(Ending.BETWEEN, None, None, "it was interrupted", is_stopped=True)
    measured = up_to(90)
    for _ in range(6):
        step = stopped.step()
        assert isinstance(step, NextTrial)
        stopped.add(step, measured(step), step.length_s)
    assert stopped.stop("it was interrupted") == End(Ending.BETWEEN, 80, 160, "it was interrupted", is_stopped=True)


def test_no_higher_rate_than_given() -> None:
    end, _, steps = search(plan(to=33), up_to(500))
    assert (end.ending, end.holds, end.breaks) == (Ending.AT_LEAST, 33, None)
    assert end.is_confirmed
    assert max(step.rate_per_s for step in steps) == 33


def test_the_generator_ends_the_search() -> None:
    def measured(step: NextTrial) -> Trial:
        if step.rate_per_s > 420:
            return void(step.rate_per_s, by_generator=True)
        return trial(step.rate_per_s, 0, length_s=step.length_s)

    end, _, _ = search(plan(), measured)
    assert (end.ending, end.by_generator, end.breaks) == (Ending.AT_LEAST, True, None)
    assert end.reason == "the generator ended the search"
    assert end.holds is not None
    assert 420 / 1.1 < end.holds <= 420


def test_a_saturated_generator_at_a_broken_rate_does_not_end_the_search() -> None:
    def measured(step: NextTrial) -> Trial:
        if step.rate_per_s > 110:
            return void(step.rate_per_s, by_generator=True)
        return up_to(100)(step)

    end, _, _ = search(plan(), measured)
    assert (end.ending, end.by_generator) == (Ending.SUSTAINS, False)
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= 100 < end.breaks


def test_trials_that_prove_nothing_end_the_search_with_their_reason() -> None:
    end, _, steps = search(plan(), lambda step: void(step.rate_per_s, by_generator=False))
    assert (end.ending, end.reason, len(steps)) == (Ending.BETWEEN, "it was late", 2)


def test_a_trial_that_proves_nothing_is_repeated() -> None:
    seen: list[float] = []

    def measured(step: NextTrial) -> Trial:
        seen.append(step.rate_per_s)
        return void(step.rate_per_s, by_generator=False) if len(seen) == 1 else up_to(100)(step)

    end, _, _ = search(plan(), measured)
    assert seen[:2] == [5, 5]
    assert end.ending is Ending.SUSTAINS


def test_an_undecided_rate_is_no_bound() -> None:
    def measured(step: NextTrial) -> Trial:
        share = 0.05 if 95 < step.rate_per_s < 105 else float(step.rate_per_s > 100)
        return trial(step.rate_per_s, share, length_s=step.length_s)

    end, state, _ = search(plan(), measured)
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= 95
    assert end.breaks >= 105
    assert max(len(level.trials) for level in state.levels if 95 < level.rate_per_s < 105) <= 4


def test_a_lower_bound_that_breaks_later_is_replaced() -> None:
    def measured(step: NextTrial) -> Trial:
        breaks = step.rate_per_s > (70 if step.purpose is Purpose.CONFIRM else 100)
        return trial(step.rate_per_s, breaks, length_s=step.length_s)

    end, _, steps = search(plan(budget_s=3600), measured)
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= 70
    assert end.is_confirmed
    assert sum(step.purpose is Purpose.CONFIRM for step in steps) >= 2


def test_the_budget_ends_the_search_with_the_bounds_so_far() -> None:
    end, _, steps = search(plan(budget_s=400), up_to(100))
    assert end.ending is Ending.BETWEEN
    assert "budget" in end.reason
    assert (end.holds or 0) <= 100
    assert sum(5 + step.length_s + 5 for step in steps) <= 400


def test_a_target_that_has_not_recovered_is_tried_again() -> None:
    slow = {"trials": 0}

    def measured(step: NextTrial) -> Trial:
        is_slow = step.rate_per_s > 100 or slow["trials"] > 0
        slow["trials"] = 1 if step.rate_per_s > 100 else max(0, slow["trials"] - 1)
        return trial(step.rate_per_s, is_slow, length_s=step.length_s)

    end, _, steps = search(plan(is_fresh=False, budget_s=3600), measured)
    assert end.ending is Ending.SUSTAINS
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= 100 < end.breaks
    after_break = [step for before, step in pairwise(steps) if before.rate_per_s > 100]
    assert {step.rest_s for step in after_break} == {20.0, 40.0}
    misled, _, _ = search(plan(is_fresh=True, budget_s=3600), measured)
    assert (misled.holds, misled.breaks) != (end.holds, end.breaks)


def test_a_target_that_recovers_during_a_trial_is_tried_again_and_rests_longer() -> None:
    """Above 100/s, the target breaks, and it stays slow for 45 s. A trial has a tenth of slow requests at its start."""

    def measured(step: NextTrial) -> Trial:
        found = trial(step.rate_per_s, step.rate_per_s > 100, length_s=step.length_s)
        is_recovering = not broken["is fresh"] and step.rate_per_s <= 100 and step.rest_s < 40
        broken["is fresh"] = step.rate_per_s <= 100
        if not is_recovering:
            return found
        (seconds,) = found.seconds.values()
        slow = tuple(Second(second.requests, second.requests) for second in seconds[: len(seconds) // 10])
        return replace(found, seconds={RULE.rule: (*slow, *seconds[len(slow) :])})

    broken = {"is fresh": True}
    end, _, steps = search(plan(is_fresh=False), measured)
    assert (end.ending, end.is_confirmed) == (Ending.SUSTAINS, True)
    assert end.holds is not None
    assert end.breaks is not None
    assert end.holds <= 100 < end.breaks
    after_break = [step.rest_s for before, step in pairwise(steps) if before.rate_per_s > 100]
    assert after_break[0] == 20.0
    assert after_break[-1] == 40.0


def test_a_target_that_ends_breaks_the_rate() -> None:
    def measured(step: NextTrial) -> Trial:
        found = trial(step.rate_per_s, 0, length_s=step.length_s)
        return replace(found, ended="exit code 3") if step.rate_per_s > 50 else found

    end, state, _ = search(plan(), measured)
    assert end.ending is Ending.SUSTAINS
    assert (end.holds or 0) <= 50
    assert state.levels[-1].broken == ("exit code 3",)


@pytest.mark.parametrize(
    ("share", "ending", "holds", "trials"),
    [(0.0, Ending.AT_LEAST, 150, 1), (0.5, Ending.BETWEEN, None, 1), (0.05, Ending.BETWEEN, None, 4)],
)
def test_one_rate_only(share: float, ending: Ending, holds: float | None, trials: int) -> None:
    end, _, steps = search(plan(at_least=150), lambda step: trial(step.rate_per_s, share))
    assert (end.ending, end.holds, len(steps)) == (ending, holds, trials)
    assert end.breaks == (150 if share == 0.5 else None)


def test_the_capacity_of_each_rule() -> None:
    _, state, _ = search(plan(), up_to(100))
    found = capacities(state.levels, [RULE])
    holds, breaks = found[RULE.rule]
    assert holds is not None
    assert breaks is not None
    assert holds <= 100 < breaks
