"""Test that the fast bootstrap gives the limit of the plain one."""

import random
from collections.abc import Sequence
from statistics import median

import pytest

from loadgate.analysis.recovery.drawn_limit import DRAWN_WINDOWS, DRAWS, drawn_limit, quantile_of
from loadgate.analysis.tails import SlotTail, p95_ms, tails
from loadgate.recorder import TimeSlot
from tests.loadgate.analysis.made_traffic import second_of

WINDOW_S = 5


def base(seconds: int, requests: int, sigma: float, seed: int, width_s: int = 1) -> list[SlotTail]:
    rnd = random.Random(seed)
    slots = [
        TimeSlot(number * width_s, width_s, second_of(rnd, requests + rnd.randrange(4), sigma=sigma))
        for number in range(seconds)
    ]
    return tails(slots, WINDOW_S)


def plain_limit(parts: Sequence[SlotTail], middle_ms: float, seed: int) -> float:
    """Draw whole stages and bases, and evaluate each of their windows."""
    rnd = random.Random(seed)

    def drawn(length: int) -> list[SlotTail]:
        found: list[SlotTail] = []
        while len(found) < length:
            first = rnd.randrange(len(parts))
            found += [parts[(first + step) % len(parts)] for step in range(WINDOW_S)]
        return found[:length]

    ratios = []
    for _ in range(DRAWS):
        stage, whole = drawn(DRAWN_WINDOWS * WINDOW_S), drawn(min(len(parts), DRAWN_WINDOWS * WINDOW_S))
        values = [p95_ms(stage[at : at + WINDOW_S]) for at in range((DRAWN_WINDOWS - 1) * WINDOW_S)]
        usual = [p95_ms(whole[at : at + WINDOW_S]) for at in range(0, len(whole) - WINDOW_S + 1, WINDOW_S)]
        known, bases = [value for value in values if value], [value for value in usual if value]
        if known and bases:
            ratios.append(max(known[0], quantile_of(known, 0.95)) / median(bases))
    return middle_ms * quantile_of(ratios, 0.99) if ratios else 0.0


@pytest.mark.parametrize(
    ("seconds", "requests", "sigma"), [(30, 4, 0.5), (33, 8, 0.3), (60, 30, 0.05), (200, 3, 1.0), (100, 60, 0.9)]
)
@pytest.mark.parametrize("least", [0.5, 1.05, 1.3])
def test_the_limit_is_that_of_the_plain_bootstrap(seconds: int, requests: int, sigma: float, least: float) -> None:
    parts = base(seconds, requests, sigma, seed=seconds)
    expected = plain_limit(parts, 100.0, seed=3)

    found = drawn_limit(parts, WINDOW_S, 100.0, 100.0 * least, seed=3)

    assert found == (pytest.approx(expected) if expected > 100.0 * least else None)


def test_without_enough_requests_there_is_no_limit() -> None:
    assert drawn_limit(base(40, 0, 0.1, seed=1), WINDOW_S, 100.0, 110.0) is None


def test_seconds_are_not_mixed_with_merged_slots() -> None:
    parts = base(100, 20, 0.3, seed=1)
    merged = base(50, 20 * 60, 3.0, seed=2, width_s=60)

    assert drawn_limit([*merged, *parts], WINDOW_S, 100.0, 50.0) == drawn_limit(parts, WINDOW_S, 100.0, 50.0)


def test_a_merged_slot_is_a_window_of_its_own() -> None:
    steady = base(50, 600, 0.1, seed=2, width_s=60)

    limit_ms = drawn_limit(steady, WINDOW_S, 100.0, 50.0)

    assert limit_ms is not None
    assert limit_ms == pytest.approx(102, abs=2)  # the p95 of 600 requests varies by 1 %
