"""Test events that are counted by second: late arrivals of an open model, of one process or several."""

from __future__ import annotations

from loadgate.recorder import Recorder
from loadgate.recorder.cells import ROLL_UPS


def test_an_event_with_a_time_counts_in_its_second_and_in_the_sum() -> None:
    recorder = Recorder()
    recorder.count("late", at_s=1_000.2)
    recorder.count("late", 2, at_s=1_000.9)
    recorder.count("late", at_s=1_003.0)
    recorder.count("dropped")
    assert recorder.counters() == {"late": 4, "dropped": 1}
    assert recorder.counted("late") == [(1_000, 1, 3), (1_003, 1, 1)]
    assert recorder.counted("dropped") == []


def test_the_counts_of_workers_are_added() -> None:
    master, workers = Recorder(), [Recorder(), Recorder()]
    for number, worker in enumerate(workers):
        worker.count("late", at_s=1_000.0)
        worker.count("late", at_s=1_001.0 + number)
        master.merge_delta(worker.take_delta(), f"w{number}")
        worker.count("late", at_s=1_000.0)
        master.merge_delta(worker.take_delta(final=True), f"w{number}")
    assert master.counters() == {"late": 6}
    assert master.counted("late") == [(1_000, 1, 4), (1_001, 1, 1), (1_002, 1, 1)]


def test_the_json_form_has_the_counts_and_none_without_a_time() -> None:
    recorder = Recorder()
    recorder.count("late")
    assert "counted" not in recorder.to_json()
    recorder.count("late", at_s=1_000.0)
    assert Recorder.from_json(recorder.to_json()).counted("late") == [(1_000, 1, 1)]


def test_old_seconds_are_merged() -> None:
    recorder, step = Recorder(), ROLL_UPS[0]
    for second in range(step.older_than_s + 2 * step.width_s):
        recorder.count("late", at_s=float(second))
    slots = recorder.counted("late")
    assert slots[0] == (0, step.width_s, step.width_s)
    assert sum(number for _, _, number in slots) == step.older_than_s + 2 * step.width_s
