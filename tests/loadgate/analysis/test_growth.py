"""Test the detection of memory growth."""

from __future__ import annotations

import random

import pytest

from loadgate.analysis.growth import MIN_SAMPLES, memory_trend

MIB = 2**20


def test_a_steady_leak_is_measured_in_spite_of_noise_and_spikes() -> None:
    chance = random.Random(1)
    times = [float(second) for second in range(600)]
    values = [100 * MIB + 2 * MIB * second / 60 + chance.gauss(0, MIB) for second in times]
    values = [value + (300 * MIB if index % 10 == 0 else 0) for index, value in enumerate(values)]
    trend = memory_trend(times, values)
    assert trend is not None
    assert trend.bytes_per_minute == pytest.approx(2 * MIB, rel=0.1)
    assert trend.end_bytes - trend.start_bytes == pytest.approx(trend.bytes_per_minute * trend.span_s / 60)


def test_growth_during_warm_up_is_not_a_leak() -> None:
    times = [float(second) for second in range(300)]
    values = [100 * MIB + min(second, 50) * MIB for second in times]
    trend = memory_trend(times, values)
    assert trend is not None
    assert trend.bytes_per_minute == 0


def test_a_short_series_has_no_trend() -> None:
    enough = int(MIN_SAMPLES / 0.8) + 1
    assert memory_trend(range(enough), [1.0] * enough) is not None
    assert memory_trend(range(MIN_SAMPLES), [1.0] * MIN_SAMPLES) is None
    assert memory_trend([], []) is None


def test_series_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 times but 1 values"):
        memory_trend([1, 2], [1])
