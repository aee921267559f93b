"""Test the sum of totals: the same as one record of all requests."""

from __future__ import annotations

from loadgate.recorder import FinishedRequest, LatencySketch, Outcome, Recorder, Totals


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


def test_requests_of_a_span_are_those_of_its_slots() -> None:
    recorder = Recorder()
    for second in (10, 11, 11, 14):
        recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=second, latency_ms=5))
    recorder.record(FinishedRequest("ping", Outcome.FAILURE, start_s=11.5, latency_ms=5))
    recorder.record_measure("lag", 3.0, at_s=11.5)

    assert [recorder.requests_between(*span) for span in ((0, 100), (11, 14), (11, 15), (12, 14))] == [5, 3, 4, 0]
