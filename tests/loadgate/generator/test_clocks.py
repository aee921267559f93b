"""Test reports of workers whose clocks differ from the master's."""

from __future__ import annotations

from loadgate.generator.clocks import WorkerClocks
from loadgate.recorder import FinishedRequest, Outcome, Recorder


def test_the_reply_with_the_shortest_round_trip_is_used() -> None:
    clocks = WorkerClocks()
    clocks.learn("0", sent_s=1000.0, worker_s=802.0, received_s=1004.0)
    clocks.learn("0", sent_s=1010.0, worker_s=810.05, received_s=1010.1)
    clocks.learn("0", sent_s=1020.0, worker_s=821.0, received_s=1023.0)
    assert clocks.shift_s("0") == 200
    assert clocks.remarks() == [
        (
            "the clock of worker 0 was 3 min 20 s behind the master's; "
            "the times of its requests are converted to the master's"
        )
    ]


def test_a_report_gives_an_estimate_until_the_first_reply() -> None:
    clocks = WorkerClocks()
    assert clocks.shift_s("0") == 0
    clocks.assume("0", worker_s=1207.0, received_s=1200.5)
    assert clocks.shift_s("0") == -6
    clocks.learn("0", sent_s=1201.0, worker_s=1208.25, received_s=1201.5)
    clocks.assume("0", worker_s=1300.0, received_s=1200.0)
    assert clocks.shift_s("0") == -7
    assert "7 s ahead of" in clocks.remarks()[0]


def test_equal_clocks_shift_nothing_and_have_no_note() -> None:
    clocks = WorkerClocks()
    clocks.learn("0", sent_s=1000.0, worker_s=1000.3, received_s=1000.2)
    # In the meantime the master's clock was set back.
    clocks.learn("0", sent_s=1000.0, worker_s=900.0, received_s=990.0)
    assert (clocks.shift_s("0"), clocks.remarks()) == (0, [])


def test_a_shifted_report_differs_only_in_its_times() -> None:
    def report(at_s: int) -> dict[str, object]:
        recorder = Recorder()
        recorder.record(
            FinishedRequest(
                "ping", Outcome.SUCCESS, start_s=at_s, latency_ms=30, service_ms=20, response_bytes=9, group="g"
            )
        )
        recorder.record(
            FinishedRequest("ping", Outcome.FAILURE, start_s=at_s + 2, latency_ms=7, error="HTTP 500"), "ramp"
        )
        recorder.record_measure("first", 12, at_s=at_s + 3, group="g")
        recorder.count("late", 4)
        return recorder.take_delta() | {"recorder": "same"}

    for shift_s in (200, -7):
        moved, there = Recorder(), Recorder()
        moved.merge_delta(report(1000), "0", shift_s)
        there.merge_delta(report(1000 + shift_s), "0")
        assert moved.to_json() == there.to_json()
