"""The sentences on workers whose latencies are far from the others'."""

from __future__ import annotations

from typing import Any

from loadgate.analysis.worker_medians import MIN_WINDOWS
from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.run.worker_medians import MAX_NAMES, MAX_TALLIED_NAMES, WorkerMedians
from loadgate.shape.profile import LoadProfile

START_S = 1_777_593_600


def filled(figures: dict[str, list[tuple[str, int, float]]], seconds: int = 120, since_s: int = 0) -> WorkerMedians:
    """Return the medians of workers with these reports every 3 s."""
    medians = WorkerMedians()
    for second in range(since_s, since_s + seconds, 3):
        for worker, rows in figures.items():
            medians.add(worker, START_S + second, rows)
    return medians


def test_a_slow_worker_is_named() -> None:
    usual: list[tuple[str, int, float]] = [("GET /plain", 30, 40.0), ("Quick - Ping", 12, 12.0)]
    medians = filled({"0": usual, "1": [("GET /plain", 30, 84.0), ("Quick - Ping", 12, 30.0)], "2": usual})
    assert medians.notes() == [
        (
            "worker 1 was slower than the other workers: in windows of 10 s, its p50 of 'GET /plain' was 84.0 ms on "
            "average, and that of the others 40.0 ms; compare the load and the network of their machines"
        )
    ]
    assert medians.notes() == medians.notes()


def test_a_fast_worker_is_named_if_no_other_is_slow() -> None:
    one, two = [("a", 30, 10.0)], [("a", 30, 40.0)]
    (note,) = filled({"0": one, "1": two, "2": two, "3": two}).notes()
    assert note.startswith("worker 0 was faster than the other workers: ")
    # Of two and two, the slower ones are named.
    notes = filled({"0": one, "1": one, "2": two, "3": two}).notes()
    assert [note[:19] for note in notes] == ["worker 2 was slower", "worker 3 was slower"]


def test_a_minority_of_the_requests_is_not_enough() -> None:
    usual: list[tuple[str, int, float]] = [("a", 30, 40.0), ("b", 30, 40.0), ("c", 30, 40.0)]
    assert filled({"0": usual, "1": [*usual[:2], ("c", 30, 90.0)]}).notes() == []


def test_workers_that_ran_at_different_times_are_not_compared() -> None:
    medians = filled({"0": [("a", 30, 10.0)]}, 60)
    for second in range(60, 120, 3):
        medians.add("1", START_S + second, [("a", 30, 80.0)])
    assert medians.notes() == []


def test_few_requests_or_windows_are_not_compared() -> None:
    assert filled({"0": [("a", 4, 10.0)], "1": [("a", 4, 80.0)]}).notes() == []
    assert filled({"0": [("a", 30, 10.0)], "1": [("a", 30, 80.0)]}, 10 * (MIN_WINDOWS - 1)).notes() == []


def test_the_size_is_bounded() -> None:
    medians = WorkerMedians()
    for second in range(0, 6000, 10):
        rows: list[tuple[str, int, float]] = [(f"{second}-{number}", 30, 10.0) for number in range(MAX_NAMES)]
        for worker in "01":
            medians.add(worker, START_S + second, rows)
    assert len(medians._open) <= 4
    assert len(medians._tallies) <= MAX_TALLIED_NAMES
    medians.add("0", START_S, [("late", 30, 10.0)])
    assert START_S // 10 not in medians._open


def test_reports_of_workers_carry_their_medians_to_the_verdict() -> None:
    plan = Plan(LoadProfile(name="x"), (), "http://x", 1, 1.0, 60.0, 10.0, 2, {"User": 1})
    master, workers = Run(plan), {"0": Run(plan), "1": Run(plan)}
    for second in range(80):
        for worker, run in workers.items():
            for number in range(9):
                latency_ms = (30.0 if worker == "1" else 10.0) + number
                one = FinishedRequest("ping", Outcome.SUCCESS, START_S + second + number / 10, latency_ms)
                run.recorder.record(one, "steady")
            run.recorder.record(FinishedRequest("ping", Outcome.FAILURE, START_S + second, 900, error="x"), "steady")
            if second % 3 == 2:
                report: dict[str, Any] = run.take_report(final=False)
                master.merge_report(report | {"at_s": START_S + second + 1}, worker)
    (note,) = [remark for remark in master.facts().remarks if "p50" in remark]
    assert "its p50 of 'ping' was 33.9 ms" in note
    assert "that of the others 14.0 ms" in note


def test_the_most_frequent_names_are_reported() -> None:
    recorder = Recorder()
    for number in range(30):
        for _ in range(number + 1):
            recorder.record(FinishedRequest(f"name {number}", Outcome.SUCCESS, START_S, 10.0))
    rows = recorder.medians(2)
    assert [(name, requests) for name, requests, _ in rows] == [("name 29", 30), ("name 28", 29)]
    assert Recorder().medians(2) == []
