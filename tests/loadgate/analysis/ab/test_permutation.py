"""The flips equal a naive computation with merged sketches, and the p-values are those of the methods' sources."""

from __future__ import annotations

import math
from itertools import product
from random import Random

import pytest

from loadgate.analysis.ab.buckets import PackedScope
from loadgate.analysis.ab.permutation import (
    EXACT_PAIRS,
    RANDOM_FLIPS,
    adjusted_p_values,
    discoveries,
    flips,
    p_value,
    smallest_p_value,
    statistics,
)
from loadgate.analysis.ab.segments import Pair
from loadgate.recorder import LatencySketch
from tests.loadgate.analysis.ab.made_segments import (
    FAILURES,
    MEAN,
    P50,
    P95,
    counts,
    drawn,
    of_latencies,
    pairs,
    segment,
)


def test_few_pairs_have_all_flips_up_to_their_opposites() -> None:
    found = flips(4)
    assert found[0] == (False,) * 4
    opposites = {tuple(not one for one in flip) for flip in found}
    assert set(found) | opposites == set(product((False, True), repeat=4))
    assert len(found) == 8
    assert flips(1) == [(False,)]
    assert flips(0) == [()]


def test_many_pairs_have_random_flips_that_are_always_the_same() -> None:
    found = flips(EXACT_PAIRS + 1)
    assert len(found) == 1 + RANDOM_FLIPS
    assert not any(found[0])
    assert found == flips(EXACT_PAIRS + 1)
    shares = [sum(flip[pair] for flip in found) / len(found) for pair in range(EXACT_PAIRS + 1)]
    assert all(0.48 < share < 0.52 for share in shares)


def naive_mean_difference(sides: list[tuple[LatencySketch, LatencySketch]], flip: tuple[bool, ...]) -> float:
    chosen = [side[::-1] if exchanged else side for side, exchanged in zip(sides, flip, strict=True)]
    base, head = (LatencySketch.sum_of([side[place] for side in chosen]).mean_ms or 0.0 for place in (0, 1))
    return abs(math.log(head / base))


def test_the_test_equals_all_flips_of_merged_sketches() -> None:
    rng = Random(5)
    latencies = [(drawn(rng, requests=40), drawn(rng, 1.05, requests=50)) for _ in range(6)]
    scope = PackedScope(of_latencies(latencies), "auth")
    sides = [(counts(base).success, counts(head).success) for base, head in latencies]
    every = [naive_mean_difference(sides, flip) for flip in product((False, True), repeat=6)]
    (found,) = statistics(scope, [MEAN], flips(6))
    scale = math.sqrt(sum(one * one for one in every) / len(every))
    assert found[0] == pytest.approx(every[0] / scale)
    assert p_value(found) == pytest.approx(sum(one >= every[0] * (1 - 1e-9) for one in every) / len(every))


def test_the_clearest_difference_has_the_smallest_p_value_that_the_pairs_allow() -> None:
    (found,) = statistics(PackedScope(pairs(10, 1.5), "auth"), [P95], flips(10))
    assert p_value(found) == smallest_p_value(10) == 2 / 2**10
    (found,) = statistics(PackedScope(pairs(14, 1.5, requests=50), "auth"), [MEAN], flips(14))
    # Random flips can include the one that exchanges nothing, and its opposite.
    assert smallest_p_value(14) <= p_value(found) <= 5 * smallest_p_value(14)


def test_exchanged_labels_give_the_same_p_value() -> None:
    made = pairs(8, 1.03)
    mirrored = [Pair(pair.head, pair.base) for pair in made]
    chosen = flips(8)
    assert statistics(PackedScope(made, "auth"), [P95, MEAN], chosen) == statistics(
        PackedScope(mirrored, "auth"), [P95, MEAN], chosen
    )


def test_a_false_alarm_of_any_rule_has_the_probability_of_the_level() -> None:
    alarms, chosen = 0, flips(6)
    for seed in range(200):
        scope = PackedScope(pairs(6, seed=seed, requests=25, spread=0.1), "auth")
        alarms += min(adjusted_p_values(statistics(scope, [P50, P95, MEAN], chosen))) <= 2 / 2**6
    # At most 1 of 32: 6.25 of 200 are expected, and more than 16 have a probability of 0.02 %.
    assert 1 <= alarms <= 16


def test_equal_sides_are_not_significant() -> None:
    equal = [Pair(pair.base, pair.base) for pair in pairs(6)]
    (found,) = statistics(PackedScope(equal, "auth"), [P95], flips(6))
    assert p_value(found) == 1.0


def test_a_flip_without_a_value_counts_as_extreme() -> None:
    # If the second pair is exchanged, head has no requests.
    made = [Pair(segment([10.0] * 50), segment()), Pair(segment(), segment([20.0] * 50))]
    (found,) = statistics(PackedScope(made, "auth"), [P95], flips(2))
    assert math.isinf(found[1])
    assert p_value(found) == 1.0


def test_failures_are_compared_as_shares() -> None:
    made = [Pair(segment([10.0] * 98, 2), segment([10.0] * 90, 10)) for _ in range(8)]
    (found,) = statistics(PackedScope(made, "auth"), [FAILURES], flips(8))
    assert p_value(found) == 2 / 2**8


def test_one_rule_needs_no_adjustment() -> None:
    row = [2.0, 1.0, 2.5, 0.5]
    assert adjusted_p_values([row]) == [p_value(row)] == [0.5]


def test_the_step_down_procedure_compares_with_the_maximum_of_the_remaining_rules() -> None:
    clear = [3.0, 1.0, 1.0, 2.0, 0.5]
    weak = [1.0, 0.5, 0.2, 2.5, 0.1]
    none = [0.2, 3.5, 0.1, 0.1, 0.3]
    # The maxima of all are 3.0, 3.5, 1.0, 2.5, 0.5; of the last two 1.0, 3.5, 0.2, 2.5, 0.3.
    assert adjusted_p_values([weak, none, clear]) == [3 / 5, 3 / 5, 2 / 5]
    assert adjusted_p_values([]) == []


def test_a_less_significant_rule_never_has_the_smaller_p_value() -> None:
    first = [2.0, 2.5, 2.5, 0.1]
    second = [1.5, 0.1, 0.1, 0.1]
    assert adjusted_p_values([first, second]) == [3 / 4, 3 / 4]


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    # The example of their paper: at 5 %, the first four of 15 hypotheses are rejected.
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
        0.7590, 1.0000,
    ]  # fmt: skip
    assert discoveries(published, 0.05) == [True] * 4 + [False] * 11
    assert discoveries(published[::-1], 0.05) == [False] * 11 + [True] * 4
    assert discoveries([0.2, 0.9], 0.05) == [False, False]
    assert discoveries([], 0.05) == []
