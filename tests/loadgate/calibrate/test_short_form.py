"""Test the calibration with short runs: exact counts, and percentiles within the noise of a busy machine."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.answers import BASE_MS
from benchmarks.calibrate.cases import CASES, Case, Load
from benchmarks.calibrate.comparison import PERCENTILES, Bar, Comparison
from benchmarks.calibrate.runs import compare
from loadgate.recorder import RELATIVE_ERROR

pytestmark = pytest.mark.process

SHORT = Load(rate_per_s=40, seconds=6)
WIDE_BARS = dict.fromkeys(PERCENTILES, Bar(0.5, 150.0))
"""What a machine under test may add to a client's view; a wrong unit, rank or mix of outcomes is far beyond."""


def case(name: str) -> Case:
    (found,) = [case for case in CASES if str(case) == name]
    return found


def assert_true(comparison: Comparison) -> None:
    assert comparison.counts[0].true > 100
    assert [figure.reported for figure in comparison.counts] == [figure.true for figure in comparison.counts]
    assert comparison.misses(WIDE_BARS) == []
    # Even on a busy machine, no client receives a response before the server has sent it.
    for figure in comparison.latencies:
        assert figure.reported >= figure.true * (1 - RELATIVE_ERROR), figure


@pytest.mark.parametrize(
    "name",
    [
        "errors, closed, 1",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("stalls, closed, 2", "lognormal, open, 2")),
    ],
)
def test_measured_values_equal_those_of_the_server(name: str) -> None:
    comparison = compare(case(name), SHORT)
    assert_true(comparison)
    failures = comparison.counts[1].true
    # One of fifty requests fails, after 1 ms. If failures counted as latencies, the minimum would be 1 ms.
    assert failures == 0 or (name.startswith("errors") and comparison.latencies[0].true >= BASE_MS)
    assert bool(failures) == name.startswith("errors")


@pytest.mark.full
@pytest.mark.parametrize("model", ["closed", "open"])
def test_a_freeze_shows_at_its_full_size_from_the_intended_starts(model: str) -> None:
    comparison = compare(case(f"freeze, {model}, 1"), SHORT)
    (shown,) = comparison.estimates
    assert_true(comparison.without_estimates())
    # Up to 1.1 s of the freeze's 2 s: 44 requests at 40 per second, although 12 users of a closed model sent only one
    # each.
    assert shown.true == 44
    assert 0.7 * shown.true <= shown.reported <= 1.5 * shown.true
