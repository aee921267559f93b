"""Durations that are collected before they reach a histogram."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from inference_core.core.telemetry.tally import Tally

BOUNDS_S = (0.001, 0.01, 1.0)
# At, below and above each bound.
DURATIONS_S = (0.0, 0.001, 0.0011, 0.01, 0.5, 1.0, 1.5, 100.0)


def histogram() -> tuple[Histogram, CollectorRegistry]:
    registry = CollectorRegistry()
    return Histogram("time_seconds", "A time.", buckets=BOUNDS_S, registry=registry), registry


def text(registry: CollectorRegistry) -> str:
    return "\n".join(line for line in generate_latest(registry).decode().splitlines() if "_created" not in line)


def test_a_tally_adds_what_the_histogram_would_have_counted_itself() -> None:
    (direct, expected), (collected, found) = histogram(), histogram()
    tally = Tally(collected)
    for duration_s in DURATIONS_S:
        direct.observe(duration_s)
        tally.observe(duration_s)
    assert "time_seconds_count 0.0" in text(found)
    tally.flush()
    assert text(found) == text(expected)


def test_durations_are_added_once() -> None:
    collected, found = histogram()
    tally = Tally(collected)
    tally.observe(0.5)
    tally.flush()
    tally.flush()
    tally.observe(0.25)
    tally.flush()
    assert "time_seconds_count 2.0" in text(found)
    assert "time_seconds_sum 0.75" in text(found)
