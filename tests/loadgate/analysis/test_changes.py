"""Change points of series with known changes: where they are found, and how often a stable series has one."""

from __future__ import annotations

import math
import random
from itertools import permutations

import pytest

from loadgate.analysis.changes import ChangeLimits, find_changes, suspect_newest
from loadgate.analysis.changes import rank_test as rank_module
from loadgate.analysis.changes.energy import best_split, distances
from loadgate.analysis.changes.rank_test import rank_test

LIMITS = ChangeLimits(math.log1p(0.05))


def stable(rnd: random.Random, runs: int, spread: float = 0.03) -> list[float]:
    return [math.log(200) + rnd.gauss(0, spread) for _ in range(runs)]


def raised(values: list[float], at: int, share: float, end: int | None = None) -> list[float]:
    """The series with all values from `at` up to `end` raised by a share."""
    end = len(values) if end is None else end
    return [value + math.log1p(share) * (at <= place < end) for place, value in enumerate(values)]


def energy_by_definition(first: list[float], second: list[float]) -> float:
    def mean(distances: list[float]) -> float:
        return sum(distances) / len(distances)

    across = mean([abs(one - other) for one in first for other in second])
    within = sum(mean([abs(one - other) for one, other in permutations(side, 2)]) for side in (first, second))
    return len(first) * len(second) / (len(first) + len(second)) * (2 * across - within)


def test_the_best_split_has_the_largest_statistic_of_the_definition() -> None:
    rnd = random.Random(4)
    values = raised(stable(rnd, 17), 9, 0.1)
    order = list(range(17))
    rnd.shuffle(order)
    ordered = [values[place] for place in order]
    ends = [17 * part // 8 for part in range(1, 9)]
    expected = {
        (at, end): energy_by_definition(ordered[:at], ordered[at:end]) for end in ends for at in range(3, end - 2)
    }
    at, end = max(expected, key=expected.__getitem__)
    split = best_split(distances(values), order, 3)
    assert split is not None
    assert (split.at, split.statistic) == (at, pytest.approx(expected[at, end]))
    assert best_split(distances(values[:5]), range(5), 3) is None


@pytest.mark.parametrize(("share", "at"), [(0.10, 12), (0.10, 20), (0.20, 37), (-0.15, 25), (1.0, 3)])
def test_a_change_is_found_at_its_place(share: float, at: int) -> None:
    found = 0
    for seed in range(8):
        changes = find_changes(raised(stable(random.Random(seed), 40), at, share), LIMITS)
        assert len(changes) <= 1
        if changes and abs(changes[0].at - at) <= 1:
            (change,) = changes
            found += 1
            assert change.runs_before + change.runs_after == 40
            assert math.expm1(change.after - change.before) == pytest.approx(share, abs=0.1)
            assert change.p_value == 0.001
    assert found >= 7


def test_several_changes_are_found_in_order() -> None:
    values = raised(raised(stable(random.Random(3), 60), 20, 0.2), 45, -0.25)
    first, second = find_changes(values, LIMITS)
    assert (first.at, second.at) == (20, 45)
    assert first.after > first.before
    assert second.after < second.before
    assert (first.runs_before, first.runs_after, second.runs_after) == (20, 25, 15)


def test_a_temporary_change_has_a_start_and_an_end() -> None:
    values = raised(stable(random.Random(8), 60), 25, 0.2, end=35)
    assert [change.at for change in find_changes(values, LIMITS)] == [25, 35]


def test_stable_series_have_no_change() -> None:
    """200 histories of 40 runs each: at p <= 0.001, more than two changes would be a surprise."""
    rnd = random.Random(1)
    alarms = sum(len(find_changes(stable(rnd, 40, spread), LIMITS)) for spread in (0.01, 0.05) for _ in range(100))
    assert alarms <= 2


def test_single_outliers_are_no_change() -> None:
    rnd = random.Random(2)
    for _ in range(20):
        values = stable(rnd, 40)
        for place in rnd.sample(range(40), 3):
            values[place] += rnd.choice((-1, 1)) * math.log(3)
        assert find_changes(values, LIMITS) == []


def test_a_small_change_is_ignored_however_certain_it_is() -> None:
    values = raised(stable(random.Random(5), 60, spread=0.002), 30, 0.03)
    assert find_changes(values, LIMITS) == []
    (found,) = find_changes(values, ChangeLimits(math.log1p(0.01)))
    assert found.at == 30


def test_small_steps_add_up_to_one_change() -> None:
    """Each step is below 5 %, and together they are above."""
    values = raised(raised(stable(random.Random(5), 60, spread=0.002), 20, 0.04), 40, 0.04)
    (change,) = find_changes(values, LIMITS)
    assert change.at in {20, 40}


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [2.0] * 60, [0.0] * 30 + [0.0]])
def test_short_and_constant_series_have_no_change(values: list[float]) -> None:
    assert find_changes(values, LIMITS) == []


def test_a_history_always_gives_the_same_changes() -> None:
    values = raised(stable(random.Random(6), 40), 20, 0.06)
    assert find_changes(values, LIMITS) == find_changes(values, LIMITS)


def test_the_rank_test_is_exact() -> None:
    assert rank_test([1, 2, 3], [4, 5, 6, 7]) == pytest.approx(2 / 35)
    assert rank_test([4, 5, 6, 7], [1, 2, 3]) == pytest.approx(2 / 35)
    assert rank_test([1, 3], [2, 4]) == pytest.approx(4 / 6)
    assert rank_test([5, 5, 5], [5, 5]) == 1.0
    assert rank_test([1, 1, 2], [2, 3, 3]) == pytest.approx(2 * 2 / 20)  # the middle values are equal
    with pytest.raises(ValueError, match="both groups"):
        rank_test([], [1.0])


def test_the_approximation_of_large_groups_is_near_the_exact_value(monkeypatch: pytest.MonkeyPatch) -> None:
    rnd = random.Random(9)
    first, second = [rnd.gauss(0, 1) for _ in range(20)], [rnd.gauss(0.6, 1) for _ in range(20)]
    exact = rank_test(first, second)
    monkeypatch.setattr(rank_module, "MAX_STEPS", 0)
    assert rank_test(first, second) == pytest.approx(exact, rel=0.1)
    assert rank_test([1.0] * 5, [1.0] * 5) == 1.0


def test_the_newest_run_is_suspected_if_it_is_far_from_all_others() -> None:
    values = stable(random.Random(3), 12)
    assert suspect_newest(values, 0, 0.05) is None
    suspicion = suspect_newest([*values, values[0] + 0.3], 0, 0.05)
    assert suspicion is not None
    assert suspicion.runs_before == 12
    assert suspicion.newest == values[0] + 0.3
    assert suspect_newest([*values, values[0] + 0.3, values[0] + 0.31], 0, 0.05) is not None
    assert suspect_newest([*values, values[0] + 0.3, values[0] + 0.2], 0, 0.05) is None  # an earlier run was further
    assert suspect_newest([*values, values[0] + 0.3], 6, 0.05) is None  # 6 runs since the change are too few
    assert suspect_newest([1.0] * 10 + [1.04], 0, 0.05) is None  # smaller than the least change
    assert suspect_newest([], 0, 0.05) is None


def test_stable_series_are_rarely_suspected() -> None:
    rnd = random.Random(7)
    assert sum(suspect_newest(stable(rnd, 40), 0, LIMITS.min_change) is not None for _ in range(300)) <= 3
