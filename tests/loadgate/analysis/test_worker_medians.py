"""Workers whose median is far from the others': simulated false alarms and power."""

from __future__ import annotations

import random
from statistics import median

import pytest

from loadgate.analysis.worker_medians import MIN_REQUESTS, MIN_WINDOWS, MedianTally, compare_window

SIGMA = 1.0
"""The spread of the logarithms of latencies: p95 is five times p50."""


def tallied(seed: int, workers: int, windows: int, slow: dict[str, float] | None = None) -> dict[str, MedianTally]:
    """Simulate workers with MIN_REQUESTS in each window. In some windows, the target is much slower for all."""
    rng = random.Random(seed)
    tallies: dict[str, MedianTally] = {}
    for _ in range(windows):
        level_ms = 40.0 * (8 if rng.random() < 0.2 else 1)
        medians = {
            str(worker): median(rng.lognormvariate(0, SIGMA) for _ in range(MIN_REQUESTS))
            * level_ms
            * (slow or {}).get(str(worker), 1)
            for worker in range(workers)
        }
        tallies = compare_window(medians, tallies)
    return tallies


def far(tallies: dict[str, MedianTally]) -> dict[str, str]:
    return {
        worker: "slower" if tally.is_slower else "faster"
        for worker, tally in tallies.items()
        if tally.is_slower or tally.is_faster
    }


@pytest.mark.parametrize("workers", [2, 4, 16])
def test_equal_workers_are_almost_never_far(workers: int) -> None:
    windows, runs = MIN_WINDOWS, 1600 // workers
    alarms = sum(bool(far(tallied(seed, workers, windows))) for seed in range(runs))
    # The probability of a worker being far is below 1e-4 after six windows.
    assert alarms <= 2


@pytest.mark.parametrize("workers", [2, 4])
def test_by_chance_a_worker_is_far_in_at_most_one_of_nine_windows(workers: int) -> None:
    tallies = [tallied(seed, workers, 30)["0"] for seed in range(100)]
    share = sum(tally.slower for tally in tallies) / sum(tally.windows for tally in tallies)
    assert 0.01 < share < 1 / 9


@pytest.mark.parametrize(("workers", "factor", "says"), [(2, 2.5, "slower"), (4, 2.5, "slower"), (4, 0.4, "faster")])
def test_a_worker_that_is_far_is_found(workers: int, factor: float, says: str) -> None:
    found = [far(tallied(seed, workers, 12, {"1": factor})) for seed in range(20)]
    assert sum(each == {"1": says} for each in found) >= 19


def test_of_two_workers_only_the_slower_one_is_far() -> None:
    tallies: dict[str, MedianTally] = {}
    for _ in range(MIN_WINDOWS):
        tallies = compare_window({"a": 10.0, "b": 40.0}, tallies)
    assert far(tallies) == {"b": "slower"}
    assert (tallies["b"].own_ms, tallies["b"].others_ms) == (pytest.approx(40), pytest.approx(10))


def test_a_large_ratio_of_small_times_is_not_far() -> None:
    tallies: dict[str, MedianTally] = {}
    for _ in range(30):
        tallies = compare_window({"a": 0.5, "b": 2.0}, tallies)
    assert far(tallies) == {}


def test_few_windows_and_single_workers_say_nothing() -> None:
    tallies: dict[str, MedianTally] = {}
    for _ in range(MIN_WINDOWS - 1):
        tallies = compare_window({"a": 10.0, "b": 90.0}, tallies)
    assert far(tallies) == {}
    assert compare_window({"a": 10.0}, tallies) == tallies
