"""Test the sum of totals: the same as one record of all requests."""

from __future__ import annotations

from loadgate.recorder import LatencySketch, Totals


def totals(*latencies_ms: float, failures_ms: tuple[float, ...] = (), response_bytes: int = 0) -> Totals:
    success, failure = LatencySketch(), LatencySketch()
    for latency_ms in latencies_ms:
        success.record(latency_ms)
    for latency_ms in failures_ms:
        failure.record(latency_ms)
    return Totals(success, failure, response_bytes)


def test_a_sum_holds_the_requests_of_both_and_changes_neither() -> None:
    one, other = totals(1, 2, response_bytes=10), totals(3, failures_ms=(4,), response_bytes=5)
    assert one + other == totals(1, 2, 3, failures_ms=(4,), response_bytes=15)
    assert (one, other) == (totals(1, 2, response_bytes=10), totals(3, failures_ms=(4,), response_bytes=5))


def test_any_number_of_totals_has_a_sum() -> None:
    assert Totals.sum([]) == Totals() == totals()
    parts = [totals(1, response_bytes=1), totals(failures_ms=(2,)), totals(3, 3)]
    assert Totals.sum(parts) == parts[0] + parts[1] + parts[2] == totals(1, 3, 3, failures_ms=(2,), response_bytes=1)
