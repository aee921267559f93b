"""Test the figures of traffic in spans: counts, requests in flight and windows."""

import random

import pytest

from loadgate.analysis.traffic import Span, Traffic
from loadgate.recorder import InFlight, LatencySketch, TimeSlot
from tests.loadgate.analysis.made_traffic import second_of

RND = random.Random(1)
SLOTS = [TimeSlot(start_s, 1, second_of(RND, 10, sigma=0.3, failed=0.1)) for start_s in (100, 101, 103, 104, 105)]
MERGED = [TimeSlot(start_s, 60, second_of(RND, 600)) for start_s in (0, 60)]
TRAFFIC = Traffic("auth", [*MERGED[:1], *[TimeSlot(60, 40, second_of(RND, 400))], *SLOTS])


@pytest.mark.parametrize("span", [Span(100, 106), Span(100.5, 105.5), Span(101, 102), Span(102, 103), Span(500, 600)])
def test_counts_are_those_of_the_slots_in_the_span(span: Span) -> None:
    inside = [slot for slot in TRAFFIC.slots if span.start_s <= slot.start_s and slot.start_s + 1 <= span.end_s]
    counts = TRAFFIC.counts_in(span)

    assert counts.requests == sum(slot.totals.requests for slot in inside)
    assert counts.failures == sum(slot.totals.failures for slot in inside)
    latencies = LatencySketch.sum_of([part for slot in inside for part in (slot.totals.success, slot.totals.failure)])
    assert counts.mean_ms == latencies.mean_ms
    assert TRAFFIC.totals_in(span).success.count == sum(slot.totals.success.count for slot in inside)


def test_counts_of_several_spans_are_added() -> None:
    assert TRAFFIC.counts_in(Span(100, 102), Span(103, 106)).requests == 50
    assert TRAFFIC.counts_in().requests == 0


def test_a_second_without_requests_is_a_part_of_windows() -> None:
    windows = TRAFFIC.windows(Span(100, 108), 3)

    assert [(window.start_s, window.requests) for window in windows] == [
        (100, 20),
        (101, 20),
        (102, 20),
        (103, 30),
        (104, 20),
        (105, 10),
    ]
    assert [window.length_s for window in windows] == [3] * 6


def test_a_merged_slot_that_is_cut_is_no_time_without_requests() -> None:
    traffic = Traffic("auth", MERGED)

    assert [window.start_s for window in traffic.windows(Span(20, 120), 5)] == [60]
    assert [window.start_s for window in traffic.windows(Span(0, 100), 5)] == [0]
    assert traffic.windows(Span(20, 40), 5) == []


def test_windows_are_the_same_when_they_are_asked_for_again() -> None:
    assert TRAFFIC.windows(Span(100, 106), 5) == TRAFFIC.windows(Span(90, 106), 5)


def test_requests_in_flight_are_averaged_over_slots_of_any_width() -> None:
    traffic = Traffic("auth", [], in_flight=[InFlight(0, 60, 2.0), InFlight(60, 1, 4.0), InFlight(65, 1, 1.0)])

    assert traffic.mean_level(Span(0, 61)) == pytest.approx(124 / 61)
    assert traffic.mean_level(Span(30, 60.5)) == pytest.approx(62 / 30.5)
    assert traffic.mean_level(Span(61, 65)) == 0
    assert traffic.mean_level(Span(65.5, 67.5)) == pytest.approx(0.25)
    assert traffic.level_at(60) == pytest.approx(3.0)
    assert traffic.level_at(-10) == 0
    assert Traffic("auth", []).level_at(60) is None
