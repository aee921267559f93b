"""Test how long requests waited on average, with every second counted once."""

import pytest

from loadgate.analysis.causes.waits import Wait, WaitKind, flow_total, period_waits
from loadgate.analysis.traffic import Span
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit

SPAN = Span(1000, 1020)
POOL = Wait("database", "wait", "waiting for a connection", inside=("database", "session"))
SESSION = Wait("database", "session", "working with the database")
LAG = Wait("api", "event_loop_lag", "waiting for the event loop", WaitKind.LAG)
CPU = Wait("api", "cpu_wait", "waiting for a CPU", WaitKind.CPU)


def record_of(flows: dict[tuple[str, str], float], seconds: int = 20) -> ResourceRecord:
    record = ResourceRecord()
    for second in range(seconds):
        record.put(
            1000 + second,
            {ResourceColumn(*key, ColumnKind.FLOW, ResourceUnit.SECONDS): value for key, value in flows.items()},
        )
    return record


def per_request_ms(flows: dict[tuple[str, str], float], *waits: Wait) -> dict[Wait, float]:
    """The waits of 10 requests per second."""
    found = period_waits(record_of(flows), waits, [SPAN], requests=200).per_request_s
    return {wait: round(1000 * value, 6) for wait, value in found.items()}


def test_an_inner_wait_is_subtracted_from_the_outer_one() -> None:
    flows = {
        ("database", "wait.sum"): 2.0,
        ("database", "wait.count"): 10.0,
        ("database", "session.sum"): 3.0,
        ("database", "session.count"): 10.0,
    }
    assert per_request_ms(flows, POOL, SESSION) == {POOL: 200, SESSION: 100}
    assert per_request_ms(flows, SESSION, POOL) == {POOL: 200, SESSION: 100}
    assert per_request_ms(flows, SESSION) == {SESSION: 300}


def test_the_lag_of_the_loop_counts_for_the_arrival_and_for_each_wait() -> None:
    # A lag of 5 ms, and three waits of each request, which take 20 ms with the lag.
    flows = {
        ("api", "event_loop_lag.sum"): 0.25,
        ("api", "event_loop_lag.count"): 50.0,
        ("database", "session.sum"): 0.6,
        ("database", "session.count"): 30.0,
    }
    assert per_request_ms(flows, SESSION, LAG) == {SESSION: 45, LAG: 20}


def test_waits_shorter_than_the_lag_did_not_meet_it() -> None:
    flows = {
        ("api", "event_loop_lag.sum"): 0.25,
        ("api", "event_loop_lag.count"): 50.0,
        ("database", "session.sum"): 0.01,
        ("database", "session.count"): 30.0,
    }
    assert per_request_ms(flows, SESSION, LAG) == {SESSION: 0, LAG: 6}


def test_waiting_for_a_cpu_delays_those_behind_and_is_subtracted_from_the_lag() -> None:
    flows = {
        ("api", "cpu"): 0.3,
        ("api", "cpu_wait.sum"): 0.2,
        ("api", "event_loop_lag.sum"): 2.5,
        ("api", "event_loop_lag.count"): 50.0,
    }
    assert per_request_ms(flows, CPU, LAG) == {CPU: 40, LAG: 10}


def test_unknown_rows_get_the_mean_of_the_known_ones() -> None:
    series = record_of({("api", "cpu"): 0.5}, seconds=12).series("api", "cpu")
    assert flow_total(series, 1, [SPAN]) == pytest.approx(10)
    assert flow_total(series, 1, [Span(1000, 1030)]) is None
    assert flow_total(None, 1, [SPAN]) is None


def test_a_wait_without_columns_is_unknown() -> None:
    assert per_request_ms({("api", "cpu"): 0.5}, POOL, LAG, CPU) == {}
    assert period_waits(record_of({}), [POOL], [SPAN], requests=0).per_request_s == {}
