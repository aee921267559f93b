"""Test the recorder: the cell of each request, and the contents of a scope."""

import json
import math
from typing import Any

import pytest

from loadgate.recorder import MAX_NAMES, OTHER_NAMES, FinishedRequest, LatencySketch, Outcome, Recorder, RequestName
from tests.loadgate.recorder.filling import START_S, comparable, fill, record


def sketch_of(values: list[float]) -> LatencySketch:
    sketch = LatencySketch()
    for value in values:
        sketch.record(value)
    return sketch


def test_a_request_belongs_to_the_second_in_which_it_ended() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S + 0.9, latency_ms=99))
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S + 0.9, latency_ms=2100))

    assert [slot.start_s - START_S for slot in recorder.time_slots("ping")] == [0, 3]
    assert recorder.span_s() == (START_S, START_S + 4)


def test_reading_between_requests_changes_nothing() -> None:
    left_alone, read, reported = Recorder(), Recorder(), Recorder()
    worker = Recorder()
    for sequence, call in enumerate(fill(left_alone)):
        record(read, call)
        record(worker, call)
        if sequence % 3 == 0:
            assert read.totals().requests == sum(slot.totals.requests for slot in read.time_slots()) == sequence + 1
        if sequence % 7 == 0:
            reported.merge_delta(worker.take_delta(), "worker")
    reported.merge_delta(worker.take_delta(final=True), "worker")

    for recorder in (read, reported):
        assert recorder.time_slots() == left_alone.time_slots()
        assert recorder.totals() == left_alone.totals()
        assert recorder.span_s() == left_alone.span_s()


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        ("overall", lambda call: True),
        ("health", lambda call: call["group"] == "health"),
        ("login", lambda call: call["name"] == "login"),
        ("docs", lambda call: call["name"] == "docs"),
        (RequestName("ping", "health"), lambda call: call["name"] == "ping"),
        ("nothing", lambda call: False),
    ],
)
@pytest.mark.parametrize("stages", [None, ["steady"], ["steady", "ramp"], []])
def test_a_scope_holds_exactly_its_requests(scope: str, chosen: Any, stages: list[str] | None) -> None:
    recorder = Recorder()
    calls = [call for call in fill(recorder) if chosen(call) and (stages is None or call["stage"] in stages)]

    totals = recorder.totals(scope, stages)

    for outcome, sketch in ((Outcome.SUCCESS, totals.success), (Outcome.FAILURE, totals.failure)):
        assert sketch == sketch_of([call["latency_ms"] for call in calls if call["outcome"] is outcome])
    assert totals.requests == len(calls)
    assert totals.response_bytes == sum(call["response_bytes"] for call in calls)
    assert sum(slot.totals.requests for slot in recorder.time_slots(scope, stages)) == len(calls)


def test_a_group_takes_precedence_over_a_name() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("health", Outcome.SUCCESS, start_s=START_S, latency_ms=1, group="other"))
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S, latency_ms=2, group="health"))

    assert recorder.totals("health").success == sketch_of([2.0])
    assert recorder.totals(RequestName("health")).success == sketch_of([1.0])


def test_one_name_in_two_groups_can_be_read_separately_and_together() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S, latency_ms=1, group="a"))
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S, latency_ms=2, group="b"))

    assert recorder.requests() == [RequestName("ping", "a"), RequestName("ping", "b")]
    assert recorder.totals("ping").success == sketch_of([1.0, 2.0])
    assert recorder.totals(RequestName("ping", "b")).success == sketch_of([2.0])


def test_time_slots_can_start_at_a_given_second() -> None:
    recorder = Recorder()
    fill(recorder)

    later = recorder.time_slots(since_s=START_S + 20)

    assert later == [slot for slot in recorder.time_slots() if slot.start_s >= START_S + 20]
    assert later


def test_service_times_are_recorded_in_addition_to_latencies() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("ping", Outcome.SUCCESS, start_s=START_S, latency_ms=900, service_ms=5))
    recorder.record(FinishedRequest("ping", Outcome.FAILURE, start_s=START_S, latency_ms=900, service_ms=6))

    assert recorder.totals().success == sketch_of([900.0])
    assert recorder.service_times() == sketch_of([5.0])
    assert Recorder.from_json(recorder.to_json()).service_times() == sketch_of([5.0])


def test_the_recorder_is_restored_from_the_document() -> None:
    recorder = Recorder()
    fill(recorder)
    recorder.count("arrivals_late", 3)

    again = Recorder.from_json(json.loads(json.dumps(recorder.to_json())))

    assert again.to_json() == recorder.to_json()
    assert (again.span_s(), again.groups(), again.names()) == (recorder.span_s(), recorder.groups(), recorder.names())
    assert again.time_slots("health", ["steady"]) == recorder.time_slots("health", ["steady"])
    assert again.counters() == {"arrivals_late": 3}
    assert again.errors() == recorder.errors()


def test_recorded_groups_names_and_stages_are_listed() -> None:
    recorder = Recorder()
    fill(recorder)

    assert recorder.groups() == ["auth", "health"]
    assert recorder.names() == ["docs", "login", "ping", "root"]
    assert recorder.stages() == ["ramp", "steady"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        *[({"latency_ms": value}, "times must be finite") for value in (-1, math.nan, math.inf, 1e14)],
        *[({"service_ms": value}, "times must be finite") for value in (-1, math.nan, math.inf, 1e14)],
        *[({"start_s": value}, "the start must be in epoch seconds") for value in (-5, math.nan, math.inf, 1e12)],
        ({"name": None}, "name and group must be strings"),
        ({"group": 5}, "name and group must be strings"),
        ({"response_bytes": -1}, "sizes at least 0"),
    ],
)
def test_an_impossible_record_is_refused_and_changes_nothing(fault: dict[str, Any], says: str) -> None:
    recorder = Recorder()
    sound = {"name": "ping", "outcome": Outcome.SUCCESS, "start_s": START_S, "latency_ms": 1}

    with pytest.raises(ValueError, match=says):
        recorder.record(FinishedRequest(**sound | fault))

    assert comparable(recorder) == comparable(Recorder())


def test_names_beyond_the_limit_count_together_and_nothing_is_lost() -> None:
    recorder, more = Recorder(), MAX_NAMES + 500
    for number in range(more):
        recorder.record(
            FinishedRequest(f"/item?id={number}", Outcome.SUCCESS, start_s=1000, latency_ms=5, group="shop")
        )
    recorder.record(
        FinishedRequest(f"/item?id={more}", Outcome.FAILURE, start_s=1000, latency_ms=5, group="shop", error="HTTP 500")
    )
    recorder.record(FinishedRequest("/item?id=1", Outcome.SUCCESS, start_s=1001, latency_ms=7, group="shop"))

    assert len(recorder.names()) == MAX_NAMES + 1
    assert recorder.totals().requests == recorder.totals("shop").requests == more + 2
    assert recorder.totals(OTHER_NAMES).requests == 501
    assert recorder.totals(OTHER_NAMES).failure.count == 1
    assert recorder.totals("/item?id=1").requests == 2


def test_the_names_of_many_workers_are_bounded_too() -> None:
    master = Recorder()
    for worker in range(3):
        recorder = Recorder()
        for number in range(MAX_NAMES):
            recorder.record(FinishedRequest(f"/{worker}/{number}", Outcome.SUCCESS, start_s=1000, latency_ms=5))
        assert master.merge_delta(recorder.take_delta(final=True), f"worker {worker}")

    assert len(master.names()) == MAX_NAMES + 1
    assert master.totals().requests == 3 * MAX_NAMES
    assert master.totals(OTHER_NAMES).requests == 2 * MAX_NAMES


def test_a_scope_that_is_recorded_later_is_found() -> None:
    recorder = Recorder()
    recorder.record(FinishedRequest("first", Outcome.SUCCESS, start_s=1000, latency_ms=5, group="a"))
    assert recorder.totals("b").requests == 0
    recorder.record(FinishedRequest("second", Outcome.SUCCESS, start_s=1000, latency_ms=5, group="b"))
    assert (recorder.totals("b").requests, recorder.totals("second").requests) == (1, 1)
    recorder.take_delta()
    assert recorder.totals("b").requests == 0


def with_methods() -> Recorder:
    recorder = Recorder()
    for name, method, group, error in (
        ("cart", "GET", "a", None),
        ("cart", "POST", "a", "HTTP 500"),
        ("cart", "POST", "b", "HTTP 500"),
        ("join", "WSR", "a", None),
        ("GET /", "GET", "a", "HTTP 404"),
    ):
        outcome = Outcome.SUCCESS if error is None else Outcome.FAILURE
        recorder.record(
            FinishedRequest(name, outcome, start_s=1000.0, latency_ms=5.0, method=method, group=group, error=error)
        )
    return recorder


@pytest.mark.parametrize("path", ["recorded", "document", "two workers", "a document of a master"])
def test_requests_of_one_name_and_different_methods_are_different_requests(path: str) -> None:
    recorder = with_methods()
    if path == "two workers":
        master, other = Recorder(), Recorder()
        other.record(FinishedRequest("cart", Outcome.SUCCESS, start_s=1000.0, latency_ms=5.0, method="GET", group="a"))
        worker = Recorder()
        worker.record(
            FinishedRequest(
                "cart", Outcome.FAILURE, start_s=1000.0, latency_ms=5.0, method="POST", group="a", error="x"
            )
        )
        master.merge_delta(json.loads(json.dumps(other.take_delta())), "1")
        assert master.names() == ["cart"]
        master.merge_delta(json.loads(json.dumps(worker.take_delta())), "2")
        assert master.names() == ["GET cart", "POST cart"]
        assert [error.name for error in master.errors()] == ["POST cart"]
        return
    if path != "recorded":
        recorder = Recorder.from_json(json.loads(json.dumps(recorder.to_json())))
    if path == "a document of a master":
        recorder = Recorder.from_json(json.loads(json.dumps(recorder.to_json())))
    assert recorder.names() == ["GET /", "GET cart", "POST cart", "join"]
    assert [(item.group, item.name) for item in recorder.requests()] == [
        ("a", "GET /"),
        ("a", "GET cart"),
        ("a", "POST cart"),
        ("a", "join"),
        ("b", "POST cart"),
    ]
    counts = {scope: recorder.totals(scope).requests for scope in ("POST cart", "GET cart", "join", "GET /")}
    assert counts == {"POST cart": 2, "GET cart": 1, "join": 1, "GET /": 1}
    assert recorder.totals(RequestName("POST cart", "b")).requests == 1
    assert {(error.name, error.count) for error in recorder.errors()} == {("POST cart", 2), ("GET /", 1)}
    assert {request.name for request in recorder.slowest()} == {"GET cart", "join"}
    assert {example.name for error in recorder.errors() for example in error.examples} == {"POST cart", "GET /"}
    assert recorder.methods() == {"GET": 2, "POST": 2, "WSR": 1}
    assert recorder.without({"WSR", "POST"}).totals().requests == 2


def test_a_name_includes_its_requests_of_every_method() -> None:
    recorder = with_methods()
    assert recorder.totals("cart").requests == 3
    assert recorder.totals("WSR join").requests == 1
    assert recorder.totals("GET GET /").requests == 0


@pytest.mark.parametrize("path", ["recorded", "document"])
@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.FAILURE])
def test_a_request_without_a_time_is_counted_and_has_no_latency(path: str, outcome: Outcome) -> None:
    recorder = Recorder()
    error = "lost" if outcome is Outcome.FAILURE else None
    for second, latency_ms in enumerate([None, None, 8.0, None]):
        recorder.record(
            FinishedRequest(
                "tell", outcome, start_s=1000.0 + second, latency_ms=latency_ms, error=error, response_bytes=3
            )
        )
    recorder.record(FinishedRequest("other", Outcome.SUCCESS, start_s=1000.0, latency_ms=2.0))
    if path == "document":
        recorder = Recorder.from_json(json.loads(json.dumps(recorder.to_json())))
    totals = recorder.totals("tell")
    assert (totals.requests, totals.response_bytes) == (4, 12)
    assert totals.failures == (4 if outcome is Outcome.FAILURE else 0)
    sketch = totals.success if outcome is Outcome.SUCCESS else totals.failure
    assert (sketch.count, sketch.untimed, sketch.min_ms, sketch.mean_ms) == (1, 3, 8.0, 8.0)
    assert [slot.totals.requests for slot in recorder.time_slots("tell")] == [1, 1, 1, 1]
    assert recorder.span_s() == (1000, 1004)
    assert [request.name for request in recorder.slowest()][:1] == (["tell"] if error is None else ["other"])
