"""Test how the master's recorder combines the reports of workers."""

import json
import random
from typing import Any

import msgpack
import pytest

from loadgate.recorder import Recorder
from tests.loadgate.recorder.filling import comparable, fill, record


@pytest.mark.parametrize("encode", [lambda d: json.loads(json.dumps(d)), lambda d: msgpack.loads(msgpack.dumps(d))])
def test_deltas_of_workers_sum_up_to_the_recorder_of_all_requests(encode: Any) -> None:
    master, whole = Recorder(), Recorder()
    workers = [Recorder() for _ in range(3)]
    rnd = random.Random(9)
    deltas = []
    for call in fill(whole, count=2000):
        number = rnd.randrange(3)
        record(workers[number], call)
        if rnd.random() < 0.01:
            deltas.append((encode(workers[number].take_delta()), f"w{number}"))
    deltas += [(encode(worker.take_delta(final=True)), f"w{number}") for number, worker in enumerate(workers)]
    rnd.shuffle(deltas)

    assert all(master.merge_delta(delta, worker) for delta, worker in deltas)

    assert comparable(master) == comparable(whole)
    assert master.lost_reports() == []


def test_the_same_report_twice_counts_once() -> None:
    master, worker = Recorder(), Recorder()
    fill(worker)
    delta = worker.take_delta(final=True)

    assert [master.merge_delta(delta, "w0"), master.merge_delta(delta, "w0")] == [True, False]
    assert master.totals().requests == 500


def test_taking_a_delta_empties_the_worker() -> None:
    worker = Recorder()
    fill(worker)
    worker.count("arrivals_late")
    worker.take_delta()

    assert worker.cell_count() == 0
    assert worker.span_s() is None
    following = worker.take_delta()
    assert (following["series"], following["errors"], following["counters"]) == ([], [], {})


def test_a_lost_report_is_detected_until_it_arrives() -> None:
    master, worker = Recorder(), Recorder()
    deltas = []
    for seed in range(4):
        fill(worker, seed, count=10)
        deltas.append(worker.take_delta(final=seed == 3))

    for number in (0, 3):
        master.merge_delta(deltas[number], "w0")

    (lost,) = master.lost_reports()
    assert (lost.worker_id, lost.missing, lost.unfinished) == ("w0", 2, False)
    assert lost.sentence("worker 0").startswith("worker 0: 2 of its reports did not arrive")
    master.merge_delta(deltas[2], "w0")
    assert [lost.missing for lost in master.lost_reports()] == [1]
    master.merge_delta(deltas[1], "w0")
    assert master.lost_reports() == []
    assert master.totals().requests == 40


def test_a_crashed_worker_is_detected_by_its_missing_final_report() -> None:
    master, worker = Recorder(), Recorder()
    fill(worker, count=10)
    master.merge_delta(worker.take_delta(), "w0")

    (lost,) = master.lost_reports()
    assert (lost.missing, lost.unfinished) == (0, True)
    assert "its final report did not arrive" in lost.sentence("worker 0")


def test_reports_of_a_restarted_worker_are_not_duplicates() -> None:
    master = Recorder()
    for _ in range(2):
        worker = Recorder()
        fill(worker, count=10)
        assert master.merge_delta(worker.take_delta(final=True), "w0")

    assert master.totals().requests == 20


def test_a_report_of_another_version_is_refused() -> None:
    delta = Recorder().take_delta() | {"version": 99}

    with pytest.raises(ValueError, match="version 99 cannot be read"):
        Recorder().merge_delta(delta, "w0")
    with pytest.raises(ValueError, match="same loadgate version on all machines"):
        Recorder.from_json({})
