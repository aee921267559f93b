"""Sums of segments equal those of merged sketches, and quantiles are interpolated within a bucket."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgate.analysis.ab.buckets import PackedScope, Sums
from loadgate.analysis.ab.segments import Pair, ScopeCounts
from loadgate.recorder import LatencySketch
from tests.loadgate.analysis.ab.made_segments import counts, drawn, of_latencies, segment

LATENCIES = st.lists(st.floats(0.001, 1e7), max_size=30)


def packed_alone(latencies_ms: list[float], failures: int = 0) -> Sums:
    return PackedScope([Pair(segment(latencies_ms, failures), segment())], "auth").whole().base


def assert_equals(sums: Sums, parts: list[ScopeCounts]) -> None:
    merged = LatencySketch.sum_of([part.success for part in parts])
    failures = sum(part.failures for part in parts)
    assert (sums.timed, sums.failures, sums.requests) == (merged.count, failures, merged.requests + failures)
    assert sums.mean_ms() == merged.mean_ms
    for quantile in (0.1, 0.5, 0.95, 0.999):
        found, exact = sums.quantile_ms(quantile), merged.quantile(quantile)
        if exact is None:
            assert found is None
        else:
            # Both are in the same bucket, which is at most 1/128 wide, or 1 us.
            assert found == pytest.approx(exact, rel=1 / 128, abs=0.001001)


@settings(deadline=None)
@given(st.lists(st.tuples(LATENCIES, LATENCIES), min_size=1, max_size=4), st.integers(0, 3))
def test_any_choice_of_segments_equals_their_merged_sketches(
    sides: list[tuple[list[float], list[float]]], at: int
) -> None:
    scope = PackedScope(of_latencies(sides), "auth")
    parts = [(counts(base), counts(head)) for base, head in sides]
    for flip in product((False, True), repeat=len(sides)):
        found = scope.exchanged(flip)
        chosen = [part[::-1] if exchanged else part for part, exchanged in zip(parts, flip, strict=True)]
        assert_equals(found.base, [base for base, _ in chosen])
        assert_equals(found.head, [head for _, head in chosen])
    place = at % len(sides)
    assert_equals(scope.only(place).head, [parts[place][1]])
    assert_equals(scope.without(place).base, [base for number, (base, _) in enumerate(parts) if number != place])


def test_failures_and_requests_without_a_latency_are_counted() -> None:
    first, second = counts([10.0, 20.0], failures=3), counts([30.0])
    second.success.untimed = 5
    pairs = [Pair(segment([10.0, 20.0], failures=3), segment()), Pair(segment([30.0]), segment())]
    pairs[1].base.scopes["auth"].success.untimed = 5
    base = PackedScope(pairs, "auth").whole().base
    assert_equals(base, [first, second])
    assert (base.requests, base.timed, base.failure_share()) == (11, 3, 3 / 11)


def test_a_scope_without_requests_has_no_values() -> None:
    sums = PackedScope([Pair(segment([5.0]), segment(scope="tasks"))], "auth").whole().head
    assert (sums.requests, sums.mean_ms(), sums.failure_share(), sums.quantile_ms(0.5)) == (0, None, None, None)


def test_a_quantile_is_interpolated_between_the_ends_of_its_bucket() -> None:
    # 100 ms lies in a bucket from 99.840 to 100.352 ms.
    assert packed_alone([100.0] * 100).quantile_ms(0.25) == pytest.approx(99.84 + 0.25 * 0.512)
    sums = packed_alone([10.0] * 50 + [100.0] * 50)
    assert sums.quantile_ms(0.75) == pytest.approx(99.84 + 0.5 * 0.512)
    assert sums.quantile_ms(0.5) == pytest.approx(10.048)


def test_a_rank_is_rounded_before_its_bucket_is_chosen() -> None:
    assert 0.07 * 100 > 7
    assert packed_alone([1.0] * 7 + [1000.0] * 93).quantile_ms(0.07) == pytest.approx(1.0, rel=0.01)


def test_a_change_smaller_than_a_bucket_shows() -> None:
    rng = Random(3)
    latencies_ms = drawn(rng, requests=20_000)
    slower = packed_alone([1.002 * latency_ms for latency_ms in latencies_ms]).quantile_ms(0.95)
    before = packed_alone(latencies_ms).quantile_ms(0.95)
    assert slower is not None
    assert before is not None
    assert slower / before == pytest.approx(1.002, abs=0.0005)
