"""Test the notes on workers that were away, lost or left during a run."""

from __future__ import annotations

from loadgate.recorder import Recorder
from loadgate.recorder.reports import RequestCounts
from loadgate.run.worker_presence import WorkerPresence
from tests.loadgate.recorder.filling import fill


def test_a_worker_that_comes_back_is_not_lost() -> None:
    workers = WorkerPresence()
    workers.mark_present("1", 20.0, is_heard=True)
    workers.mark_missing("1")
    workers.mark_missing("1")
    assert "worker 1 was lost during the run" in workers.lost["1"]

    workers.mark_present("1", 80.0, is_heard=True)

    assert workers.lost == {}
    (sentence,) = workers.away
    assert sentence.startswith("worker 1 was away from 0:20 to 1:20 of the run")


def test_the_note_on_a_worker_that_left_states_who_stopped_it() -> None:
    workers = WorkerPresence()
    workers.mark_left("1", by_suite=True)
    workers.mark_left("2", by_suite=False)

    assert "was stopped by the suite" in workers.lost["1"]
    assert "worker 2 left during the run" in workers.lost["2"]
    assert workers.stopped_by_suite == {"1"}


def test_a_worker_is_named_with_its_host_and_its_process() -> None:
    workers = WorkerPresence()
    assert workers.name("1") == "worker 1"
    workers.introduce("1", "load-2", 4711)
    assert workers.name("1") == "worker 1 (load-2, pid 4711)"

    workers.mark_missing("1")

    assert workers.lost["1"].startswith("worker 1 (load-2, pid 4711) was lost during the run")


def reported(requests: int) -> tuple[WorkerPresence, Recorder]:
    """A worker that says that it has made `requests`, and a record with the 500 that it has reported."""
    workers, master, worker = WorkerPresence(), Recorder(), Recorder()
    failures = sum(call["error"] is not None for call in fill(worker))
    workers.introduce("0", "here", 12)
    workers.note_report("0", RequestCounts(requests, failures), 0)
    master.merge_delta(worker.take_delta(final=True), "0")
    return workers, master


def test_equal_totals_need_no_note() -> None:
    workers, master = reported(500)

    assert workers.incomplete(master, is_stopped_by_suite=False) == ()


def test_a_difference_of_totals_names_the_worker_and_both_counts() -> None:
    workers, master = reported(503)
    failures = master.totals().failures

    (note,) = workers.incomplete(master, is_stopped_by_suite=False)
    assert note == (
        f"worker 0 (here, pid 12) counted 503 requests ({failures} failed), "
        f"but its reports contain 500 requests ({failures} failed)"
    )


def test_requests_that_no_worker_counted_are_a_difference() -> None:
    workers, master = reported(500)
    fill(master, seed=2, count=7)

    (note,) = workers.incomplete(master, is_stopped_by_suite=False)
    assert note == "the workers counted 500 requests, but the record contains 507"


def test_older_totals_that_arrive_late_do_not_replace_newer_ones() -> None:
    workers, master = reported(500)
    workers.note_report("0", RequestCounts(20, 1), 0)

    assert workers.incomplete(master, is_stopped_by_suite=False) == ()


def test_a_worker_without_any_report_is_named() -> None:
    workers, master = reported(500)
    workers.introduce("1", "there", 13)

    (note,) = workers.incomplete(master, is_stopped_by_suite=False)
    assert note == "worker 1 (there, pid 13): none of its reports arrived"
