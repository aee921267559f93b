"""Test the correction for coordinated omission with constructed runs whose true latencies are known."""

import pytest

from loadgate.recorder import LatencySketch, corrected, expected_interval_ms


def sketch_of(values: list[float]) -> LatencySketch:
    sketch = LatencySketch()
    for value in values:
        sketch.record(value)
    return sketch


def test_the_requests_that_a_stall_prevented_are_added() -> None:
    # One user, ten requests a second at 5 ms, and one stall of 2 s: 20 requests were intended during it.
    measured = sketch_of([5.0] * 80 + [2000.0])

    truth = corrected(measured, interval_ms=100)

    assert measured.quantile(0.95) == pytest.approx(5.0, rel=0.005)
    assert truth.count - 80 in {19, 20}  # whether the last has just 100 ms left is within the sketch's error
    assert truth.quantile(0.95) == pytest.approx(1600, rel=0.005)
    assert truth.max_ms == 2000
    assert truth.count_above(150) == 19


def test_latencies_within_the_interval_are_unchanged() -> None:
    measured = sketch_of([1.0, 50.0, 99.0])

    assert corrected(measured, interval_ms=100) == measured


def test_the_measured_sketch_is_unchanged() -> None:
    measured = sketch_of([5000.0])
    corrected(measured, interval_ms=10)

    assert measured == sketch_of([5000.0])


def test_a_tiny_interval_has_bounded_cost_and_the_right_weight() -> None:
    result = corrected(sketch_of([600_000.0]), interval_ms=0.01)

    assert result.count == pytest.approx(60_000_000, rel=0.001)
    assert result.quantile(0.5) == pytest.approx(300_000, rel=0.01)


@pytest.mark.parametrize("interval_ms", [0, -1, float("nan")])
def test_an_interval_of_zero_is_refused(interval_ms: float) -> None:
    with pytest.raises(ValueError, match="above 0 ms"):
        corrected(sketch_of([1.0]), interval_ms)


def test_the_interval_is_the_mean_pause_plus_the_median_latency() -> None:
    # 10 users for 60 s; each request takes 20 ms and is followed by a pause of 980 ms.
    assert expected_interval_ms(sketch_of([20.0] * 600), user_seconds=600) == pytest.approx(1000)


def test_a_stall_does_not_lengthen_the_interval() -> None:
    # 95 normal requests, and one that took 5 s of the user's 100 s.
    interval_ms = expected_interval_ms(sketch_of([20.0] * 95 + [5000.0]), user_seconds=95 + 5.98)

    assert interval_ms == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize(("values", "user_seconds"), [([], 10.0), ([5.0], 0.0), ([0.0], 1e-9)])
def test_without_requests_or_users_the_interval_is_unknown(values: list[float], user_seconds: float) -> None:
    interval_ms = expected_interval_ms(sketch_of(values), user_seconds)

    assert interval_ms is None or interval_ms > 0
    assert (interval_ms is None) == (not values or not user_seconds)
