"""Test reading event streams: a timestamp for each event, and one recorded request however the stream ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from loadgate.generator.client.event_parser import EventParser
from tests.support.preloaded import printed_json

PROGRAM = Path(__file__).with_name("event_streams_program.py")
GAP_MS = 80


def seen(scenario: str) -> dict[str, Any]:
    return printed_json(PROGRAM, scenario)


def test_events_have_arrival_times_and_the_last_one_ends_the_request() -> None:
    result = seen("/good")
    kinds, numbers, stamps = zip(*result["events"], strict=True)
    assert numbers == (0, 1, 2, 3)
    assert kinds == ("message", "message", "message", "done")
    assert stamps[1] - stamps[0] >= 0.9 * GAP_MS
    assert stamps[3] - stamps[2] >= 0.9 * GAP_MS
    assert stamps == tuple(sorted(stamps))
    (request,) = result["requests"]
    assert (request["name"], request["group"], request["error"]) == ("Read", "reading", None)
    assert request["latency_ms"] == stamps[-1]
    assert result["outside_ms"] - request["latency_ms"] >= 1.8 * GAP_MS
    assert request["response_bytes"] == sum(
        map(len, ('data: {"n":0}\n\n' * 3, ": ping\n\n", 'event: done\ndata: {"n":3}\n\n'))
    )
    assert result["bodies"] == ['{"q": 1}']


def test_a_complete_stream_returns_its_connection() -> None:
    result = seen("twice")
    assert len(result["requests"]) == 2
    assert result["connections"] == 1


def test_a_broken_stream_is_a_failure_even_if_the_task_marks_it_as_successful() -> None:
    result = seen("/break")
    assert [event[1] for event in result["events"]] == [0]
    (request,) = result["requests"]
    assert request["error"]
    assert result["stream_error"]
    assert request["latency_ms"] >= 0.9 * GAP_MS


def test_a_stream_in_flight_when_the_run_ends_is_a_failure_with_the_time_it_had_waited() -> None:
    (request,) = seen("cut-off")["requests"]
    assert request["error"] == "no end of the stream when the run ended"
    assert request["latency_ms"] >= 2 * GAP_MS


@pytest.mark.parametrize(("path", "error"), [("/busy", "HTTP 503"), ("/json", "did not return a stream of events")])
def test_a_response_that_is_not_a_stream_fails_without_events(path: str, error: str) -> None:
    result = seen(path)
    assert result["events"] == []
    (request,) = result["requests"]
    assert request["error"] == error
    assert request["latency_ms"] > 0


def test_the_task_can_mark_a_stream_as_failed() -> None:
    (request,) = seen("judged")["requests"]
    assert request["error"] == "too many events"


def test_a_stream_that_is_left_early_ends_at_its_last_read_event_and_closes_its_connection() -> None:
    result = seen("left-early")
    first, _ = result["requests"]
    assert first["error"] is None
    assert first["latency_ms"] == result["events"][0][2]
    assert result["connections"] == 2


def test_an_exception_in_the_block_makes_the_stream_a_failure_and_is_raised() -> None:
    result = seen("broken-task")
    assert result["raised"]
    (request,) = result["requests"]
    assert request["error"] == "KeyError: 'missing'"


def test_measures_carry_name_group_value_and_time_and_must_be_finite() -> None:
    before_s = time.time()
    result = seen("measures")
    first, late = result["measures"]
    assert first[:3] == ["First Event", "first", 12.5]
    assert before_s <= first[3] <= time.time()
    assert late == ["Late", "", 3, 5.0]
    assert result["raised"]
    assert result["requests"] == []


STREAM = (
    b"\xef\xbb\xbfdata: one\n\n: a comment\n\ndata:two\r\ndata: lines\r\n\r\nevent: done\rdata\r\r"
    b'event: nothing\n\nid: 7\nretry: 10\ndata: {"a": \xc3\xa9}\n\ndata: never finished'
)
EVENTS = [("message", "one"), ("message", "two\nlines"), ("done", ""), ("message", '{"a": é}')]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_do_not_depend_on_the_size_of_the_pieces(size: int) -> None:
    parser, events = EventParser(), []
    for start in range(0, len(STREAM), size):
        events += parser.feed(STREAM[start : start + size], float(start))
    assert [event[:2] for event in events] == EVENTS
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
