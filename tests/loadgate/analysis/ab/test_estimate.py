"""Estimates over all segments, their jackknife errors, and what has no estimate."""

from __future__ import annotations

import math
from random import Random
from statistics import stdev

import pytest

from loadgate.analysis.ab.buckets import PackedScope
from loadgate.analysis.ab.estimate import Estimate, Limits, as_change, by_pair, estimate
from loadgate.analysis.ab.segments import Margins, Measure, MeasureKind, Pair, Segment
from loadgate.analysis.student import student_quantile
from tests.loadgate.analysis.ab.made_segments import FAILURES, MEAN, P50, P95, drawn, of_latencies, pairs, segment


def found(made: list[Pair], measure: Measure) -> Estimate:
    one = estimate(PackedScope(made, "auth"), measure)
    assert isinstance(one, Estimate)
    return one


def clause(made: list[Pair], measure: Measure) -> str:
    one = estimate(PackedScope(made, "auth"), measure)
    assert isinstance(one, str)
    return one


@pytest.mark.parametrize("measure", [P50, P95, MEAN], ids=str)
def test_a_slower_head_has_its_factor_as_change(measure: Measure) -> None:
    rng = Random(2)
    base = [drawn(rng) for _ in range(4)]
    one = found(of_latencies([(part, [1.2 * latency_ms for latency_ms in part]) for part in base]), measure)
    assert one.change == pytest.approx(0.2, abs=0.004)
    assert one.head / one.base == pytest.approx(1 + one.change)


def test_the_value_is_that_of_all_segments_and_not_a_mean_of_values() -> None:
    made = of_latencies([([10.0] * 90, [10.0] * 90), ([100.0] * 10, [10.0] * 10)])
    assert found(made, MEAN).base == pytest.approx(19.0)
    assert found(made, P95).base == pytest.approx(100.0, rel=0.01)
    assert by_pair(PackedScope(made, "auth"), MEAN) == pytest.approx([0.0, -0.9])


def test_the_jackknife_error_of_a_mean_of_equal_pairs_is_that_of_their_differences() -> None:
    # If all segments have the same number of requests, the mean is linear, and the jackknife is exact.
    means_ms = [(100.0, 101.0), (100.0, 99.0), (100.0, 104.0), (100.0, 102.0)]
    one = found(of_latencies([([base] * 20, [head] * 20) for base, head in means_ms]), MEAN)
    exact = stdev([head - base for base, head in means_ms]) / math.sqrt(4) / 101.5
    assert one.error == pytest.approx(exact, rel=0.001)
    interval = one.interval()
    assert interval is not None
    half = student_quantile(0.975, 3) * (one.error or 0.0)
    assert (interval.low, interval.high) == pytest.approx(
        (math.expm1(one.difference - half), math.expm1(one.difference + half))
    )


def test_more_pairs_have_a_smaller_error() -> None:
    one = found(pairs(8), P95)
    assert one.error is not None
    assert one.extended(32).error == pytest.approx(one.error / 2)


def test_one_pair_has_a_change_without_an_interval() -> None:
    one = found(pairs(1, 1.1), P95)
    assert one.error is None
    assert one.interval() is None
    assert one.extended(10).error is None


def test_a_difference_that_depends_on_one_pair_has_no_error() -> None:
    made = [Pair(segment([10.0] * 50), segment()), Pair(segment([10.0] * 50), segment([12.0] * 50))]
    assert found(made, P95).error is None


def test_failures_are_a_difference_of_shares() -> None:
    one = found([Pair(segment([10.0] * 95, 5), segment([10.0] * 90, 10))] * 4, FAILURES)
    assert one.difference == one.change == pytest.approx(0.05)
    assert (one.base, one.head) == (0.05, 0.1)


def test_no_failures_are_not_certainty() -> None:
    few, many = (found(pairs(10, requests=requests), FAILURES) for requests in (20, 500))
    assert few.difference == many.difference == 0.0
    # Of 200 requests, one failure and one success added: a share of 1/202 on each side.
    assert few.error == pytest.approx(math.sqrt(2 * (1 / 202) * (201 / 202) / 202))
    assert (many.error or 0.0) < (few.error or 0.0) / 20


SOME, FAILED = segment([10.0] * 50), segment(failures=50)


@pytest.mark.parametrize(
    ("base", "head", "measure", "expected"),
    [
        (segment(), SOME, P95, "base has no requests"),
        (SOME, segment(), FAILURES, "head has no requests"),
        (segment(), segment(), P95, "base and head have no requests"),
        (SOME, FAILED, P95, "all 100 requests of head failed, so there is no latency to compare"),
        (SOME, segment([9.0] * 9), P95, "18 successful requests of head are too few; at least 20 are needed"),
        (segment([9.0] * 4), SOME, MEAN, "8 successful requests of base are too few; at least 10 are needed"),
        (segment([0.0] * 50), SOME, MEAN, "a latency of 0 has no relative change"),
    ],
)
def test_what_cannot_be_compared_is_named(base: Segment, head: Segment, measure: Measure, expected: str) -> None:
    assert clause([Pair(base, head)] * 2, measure) == expected


def test_a_side_that_only_fails_has_a_change_of_failures() -> None:
    assert found([Pair(segment([10.0] * 50), segment(failures=50))] * 2, FAILURES).change == 1.0


def test_limits_are_in_the_unit_of_the_differences() -> None:
    limits = Limits.of(P95, Margins(), 50.0)
    assert (as_change(P95, limits.ignore), as_change(P95, limits.worse)) == pytest.approx((0.05, 0.10))
    assert Limits.of(Measure("auth", MeasureKind.FAILURES), Margins(), 0.002) == Limits(0.001, 0.005)


@pytest.mark.parametrize(
    ("base_ms", "ignore_ms", "ignore", "worse"),
    [
        (50.0, 0.5, 0.05, 0.10),
        (10.0, 0.5, 0.05, 0.10),
        (8.0, 0.5, 0.0625, 0.125),
        (2.0, 0.5, 0.25, 0.5),
        (2.0, 0.0, 0.05, 0.10),
        (0.001, 0.5, 500.0, 1000.0),
    ],
)
def test_an_absolute_margin_widens_the_margins_of_fast_routes(
    base_ms: float, ignore_ms: float, ignore: float, worse: float
) -> None:
    limits = Limits.of(P95, Margins(ignore_ms=ignore_ms), base_ms)
    assert (as_change(P95, limits.ignore), as_change(P95, limits.worse)) == pytest.approx((ignore, worse))
