"""Test the memory limit of the recorder in long runs."""

import json

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.recorder.packed import iter_slots, pack, unpack

START_S = 1_700_000_000 // 60 * 60


def record(recorder: Recorder, second: int, name: str = "ping", latency_ms: float = 20.0) -> None:
    recorder.record(FinishedRequest(name, Outcome.SUCCESS, start_s=START_S + second + 0.1, latency_ms=latency_ms))


@pytest.mark.parametrize("requests_a_second", [1, 50])
def test_cells_grow_with_seconds_not_with_requests(requests_a_second: int) -> None:
    recorder = Recorder()
    for second in range(60):
        for number in range(requests_a_second):
            record(recorder, second, latency_ms=20 + number)

    assert recorder.cell_count() == 60
    assert recorder.totals().requests == 60 * requests_a_second


def test_half_an_hour_of_15_names_keeps_each_second() -> None:
    recorder = Recorder()
    for second in range(1800):
        for number in range(15):
            record(recorder, second, name=f"name {number}")

    assert recorder.cell_count() == 1800 * 15
    assert {slot.width_s for slot in recorder.time_slots()} == {1}


@pytest.mark.full
def test_a_day_has_a_few_thousand_cells_per_name() -> None:
    recorder = Recorder()
    for second in range(24 * 3600):
        record(recorder, second, latency_ms=10 + second % 7)

    # 20 h in minutes, 3 h in tens of seconds, 1 h in seconds, and the minute between two roll-ups.
    assert recorder.cell_count() <= 20 * 60 + 3 * 360 + 3600 + 60 + 60
    assert recorder.totals().requests == 24 * 3600
    slots = recorder.time_slots()
    assert sum(slot.totals.requests for slot in slots) == 24 * 3600
    assert all(slot.totals.requests == slot.width_s for slot in slots)
    assert sorted({slot.width_s for slot in slots}) == [1, 10, 60]
    ends = [slot.start_s + slot.width_s for slot in slots]
    assert ends[:-1] == [slot.start_s for slot in slots[1:]]
    assert len(json.dumps(recorder.to_json())) < 1_500_000


def test_a_merged_recorder_is_restored_from_its_document() -> None:
    recorder = Recorder()
    for second in range(0, 5 * 3600, 3):
        record(recorder, second)

    again = Recorder.from_json(recorder.to_json())

    assert again.to_json() == recorder.to_json()
    assert again.span_s() == recorder.span_s()


def test_a_series_with_only_wide_slots_is_restored_from_its_document() -> None:
    recorder = Recorder()
    record(recorder, 0, name="at first only")
    for second in range(5 * 3600, 5 * 3600 + 61):
        record(recorder, second, name="at first only")
    data = recorder.to_json()
    wide = pack([slot for slot in iter_slots(unpack(data["series"][0]["cells"])) if slot.width_s > 1])
    data["series"][0]["cells"] = wide

    again = Recorder.from_json(data)

    assert again.totals().requests == 1
    assert [slot.totals.requests for slot in again.time_slots()] == [1]
    assert again.to_json() == data


def test_a_late_report_of_an_old_second_is_still_counted() -> None:
    master, worker = Recorder(), Recorder()
    for second in range(2 * 3600):
        record(master, second)
    record(worker, 5)

    master.merge_delta(worker.take_delta(final=True), "w0")

    assert master.totals().requests == 2 * 3600 + 1
    assert sum(slot.totals.requests for slot in master.time_slots()) == 2 * 3600 + 1


def test_a_gap_of_an_hour_loses_nothing() -> None:
    recorder = Recorder()
    for second in (0, 1, 9000, 30_000):
        record(recorder, second)

    assert [(slot.start_s - START_S, slot.width_s) for slot in recorder.time_slots()] == [
        (0, 60),
        (9000, 60),
        (30_000, 1),
    ]
    assert [slot.totals.requests for slot in recorder.time_slots()] == [2, 1, 1]


def test_a_late_report_is_merged_into_the_slot_of_its_time() -> None:
    master, worker = Recorder(), Recorder()
    for second in range(6 * 3600):
        record(master, second)
    cells = master.cell_count()
    record(worker, 5)
    master.merge_delta(worker.take_delta(final=True), "w0")

    for second in range(6 * 3600, 6 * 3600 + 61):
        record(master, second)

    assert master.cell_count() <= cells + 61
    first = master.time_slots()[0]
    assert (first.start_s, first.width_s, first.totals.requests) == (START_S, 60, 61)


def test_series_with_different_slot_widths_are_combined_without_overlap() -> None:
    recorder = Recorder()
    for second in range(3600):
        record(recorder, second, name="silent afterwards")
    for second in range(5 * 3600):
        record(recorder, second, name="ping")

    slots = recorder.time_slots()

    ends = [slot.start_s + slot.width_s for slot in slots]
    assert ends[:-1] == [slot.start_s for slot in slots[1:]]
    assert sum(slot.totals.requests for slot in slots) == 6 * 3600
    assert slots[0].totals.requests == 120


def test_the_latest_slots_equal_those_of_a_full_read() -> None:
    recorder = Recorder()
    for second in range(2 * 3600):
        record(recorder, second)

    for since_s in (START_S, START_S + 100, START_S + 3605, START_S + 7150, START_S + 7300):
        assert recorder.time_slots(since_s=since_s) == [s for s in recorder.time_slots() if s.start_s >= since_s]
