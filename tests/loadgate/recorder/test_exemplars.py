"""Test exemplars: the slowest requests and the first failures, for any number of processes."""

from __future__ import annotations

import json
import random
from typing import Any

import msgpack
import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder, RequestIds
from loadgate.recorder.errors import MAX_EXEMPLARS, MAX_KINDS
from loadgate.recorder.exemplars import SLOWEST


def calls(count: int, seed: int = 1) -> list[dict[str, Any]]:
    rnd = random.Random(seed)
    found = []
    for number in range(count):
        failed = rnd.random() < 0.2
        found.append(
            {
                "name": rnd.choice(["ping", "login"]),
                "outcome": Outcome.FAILURE if failed else Outcome.SUCCESS,
                "start_s": 1000 + rnd.random() * 60,
                # Few values, so that many are equal.
                "latency_ms": float(rnd.randrange(1, 50)),
                "error": rnd.choice(["500", "timed out"]) if failed else None,
                "group": "g",
                "ids": lambda number=number: RequestIds(f"{number:032x}", f"r{number}", "down" if number % 2 else ""),
            }
        )
    return found


def recorded(requests: list[dict[str, Any]]) -> Recorder:
    recorder = Recorder()
    for request in requests:
        recorder.record(FinishedRequest(**request))
    return recorder


def exemplars(recorder: Recorder) -> Any:
    return recorder.slowest(), sorted((error.name, error.text, error.examples) for error in recorder.errors())


def test_the_slowest_successes_are_kept_with_their_ids() -> None:
    requests = calls(500)
    slowest = recorded(requests).slowest()

    best = sorted((r for r in requests if r["error"] is None), key=lambda r: (-r["latency_ms"], r["start_s"]))
    assert len(slowest) == SLOWEST
    assert [(r.latency_ms, r.start_s) for r in slowest] == [(r["latency_ms"], r["start_s"]) for r in best[:SLOWEST]]
    assert slowest[0].trace_id == best[0]["ids"]().trace_id
    assert slowest[0].request_id == best[0]["ids"]().request_id
    assert (slowest[0].group, slowest[0].name) == ("g", best[0]["name"])


def test_the_first_failures_of_each_kind_are_kept() -> None:
    requests = calls(500)
    errors = recorded(requests).errors()

    assert len(errors) == 4
    for error in errors:
        same = [r for r in requests if (r["name"], r["error"]) == (error.name, error.text)]
        ends = sorted(r["start_s"] + r["latency_ms"] / 1000 for r in same)
        assert [example.end_s for example in error.examples] == pytest.approx(ends[:MAX_EXEMPLARS])
        assert all(example.request_id.startswith("r") for example in error.examples)


@pytest.mark.parametrize("pieces", [1, 3, 40])
def test_exemplars_of_merged_workers_equal_those_of_one_process(pieces: int) -> None:
    requests = calls(400)
    alone = recorded(requests)
    master = Recorder()
    workers = [Recorder(), Recorder()]
    for number, request in enumerate(requests):
        worker = number % 2
        workers[worker].record(FinishedRequest(**request))
        if number % pieces == 0:
            report = msgpack.unpackb(msgpack.packb(workers[worker].take_delta()))
            master.merge_delta(report, str(worker))
    for worker, recorder in enumerate(workers):
        master.merge_delta(recorder.take_delta(final=True), str(worker))

    assert exemplars(master) == exemplars(alone)


def test_exemplars_are_restored_from_a_document() -> None:
    recorder = recorded(calls(100))
    assert exemplars(Recorder.from_json(json.loads(json.dumps(recorder.to_json())))) == exemplars(recorder)


def test_ids_are_computed_only_for_exemplars() -> None:
    asked = []
    recorder = Recorder()
    for number in range(1000):

        def ids(number: int = number) -> RequestIds:
            asked.append(number)
            return RequestIds("", "")

        recorder.record(
            FinishedRequest("ping", Outcome.SUCCESS, start_s=1000.0, latency_ms=100.0 - number / 100, ids=ids)
        )
    assert asked == list(range(SLOWEST))


def test_the_number_of_exemplars_of_errors_is_bounded() -> None:
    recorder = Recorder()
    for number in range(5 * MAX_KINDS):
        recorder.record(
            FinishedRequest("ping", Outcome.FAILURE, start_s=1000.0 + number, latency_ms=1, error=f"error {number}")
        )
    assert sum(len(error.examples) for error in recorder.errors()) <= MAX_EXEMPLARS * (MAX_KINDS + 1)
