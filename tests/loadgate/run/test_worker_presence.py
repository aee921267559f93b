"""Test the notes on workers that were away, lost or left during a run."""

from __future__ import annotations

from loadgate.run.worker_presence import WorkerPresence


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
