"""Test several generator processes: the master's record is the sum of their records."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from loadgate.recorder import Recorder
from tests.loadgate.running.support import (
    PASS,
    SUITE,
    Started,
    document,
    locust,
    locust_command,
    master_ports,
    run_folder,
)
from tests.loadgate.stub_server import StubServer


def test_processes_merge_exactly(tmp_path: Path, stub: StubServer) -> None:
    processes = ["--processes", "2", *master_ports()]
    done = locust(tmp_path, "--host", stub.url, "-t", "4s", *processes, LOAD_PROFILE="roomy")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert {item["name"]: item["requests"] for item in run["totals"]["requests"]} == {
        "Quick - Ping": stub.received["/ping"],
        "GET /plain": stub.received["/plain"],
    }
    slowest = run["slowest"]
    assert len(slowest) == 10
    assert slowest[0]["latency_ms"] == run["totals"]["overall"]["success_ms"]["max"]
    sent = [traceparent.split("-")[1] for traceparent in stub.traceparents]
    # Forked processes with one state of random numbers would name the same traces.
    assert len(set(sent)) == len(sent) == stub.total
    assert {request["trace_id"] for request in slowest} <= set(sent)
    assert all(request["request_id"] for request in slowest)
    assert run["run"]["processes"] == 2
    assert [item["process"] for item in run["generator"]] == ["master", "worker 0", "worker 1"]
    assert done.stdout.count("exit code 0") == 1


@pytest.mark.full
def test_measures_of_processes_merge_exactly_and_are_not_requests(tmp_path: Path, stub: StubServer) -> None:
    processes = ["--processes", "2", *master_ports()]
    done = locust(tmp_path, "--host", stub.url, "-t", "4s", *processes, LOAD_PROFILE="measuring")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    pings = stub.received["/ping"]
    assert {(item["name"], item["kind"]): item["requests"] for item in run["totals"]["requests"]} == {
        ("Quick - Ping", "request"): pings,
        ("Quick - Late", "measure"): pings,
        ("Quick - Early", "measure"): pings,
    }
    assert run["totals"]["overall"]["requests"] == pings
    assert run["totals"]["groups"]["late"]["success_ms"]["p50"] == 250
    assert f"| Quick - Late (measure) | {pings} |" in (run_folder(tmp_path) / "summary.md").read_text()


@pytest.mark.full
def test_the_run_waits_for_requests_in_flight_in_workers(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "--processes", "2", *master_ports(), LOAD_PROFILE="slow")
    assert done.returncode == PASS, done.stdout + done.stderr
    assert document(tmp_path)["totals"]["overall"]["requests"] == stub.received["/slow"] == 4


@pytest.mark.full
@pytest.mark.parametrize("skew_s", [-200, 7])
def test_requests_of_a_worker_with_clock_skew_have_the_masters_time(
    tmp_path: Path, stub: StubServer, skew_s: int
) -> None:
    bind_host, host, bind, port, _, _ = master_ports()
    for name in ("one", "two", "master"):
        (tmp_path / name).mkdir()
    worker = [sys.executable, "-m", "locust", "-f", str(SUITE), "--worker", "--master-port", port]
    master = locust_command("--host", stub.url, "--master", bind_host, host, bind, port, "--expect-workers", "2")
    began_s = time.time()
    with (
        Started(master, tmp_path / "master", LOAD_PROFILE="windowed") as judge,
        Started(worker, tmp_path / "one") as first,
        Started(worker, tmp_path / "two", TEST_CLOCK_SKEW_S=str(skew_s)) as second,
    ):
        assert judge.wait() == PASS, judge.output
        assert (first.wait(), second.wait()) == (0, 0)
    run = document(tmp_path / "master")
    first_s, end_s = Recorder.from_json(run["recording"]).span_s() or (0, 0)
    assert began_s - 2 <= first_s < end_s <= time.time() + 2
    assert run["totals"]["overall"]["requests"] == stub.total
    assert all(began_s - 2 <= request["start_s"] <= time.time() + 2 for request in run["slowest"])
    (note,) = [note for note in run["verdict"]["notes"] if "clock" in note]
    assert re.fullmatch(r"the clock of worker \d was (\d+ min )?\d+(\.\d)? s (behind|ahead of) the master's; .*", note)
    assert ("behind" in note) is (skew_s < 0)


def test_only_the_master_judges_a_run_with_two_workers(tmp_path: Path, stub: StubServer) -> None:
    bind_host, host, bind, port, _, _ = master_ports()
    for name in ("one", "two", "master"):
        (tmp_path / name).mkdir()
    # The workers know nothing of the profile that the master runs.
    worker = [sys.executable, "-m", "locust", "-f", str(SUITE), "--worker", "--master-port", port]
    master = locust_command("--host", stub.url, "--master", bind_host, host, bind, port, "--expect-workers", "2")
    with (
        Started(master, tmp_path / "master", LOAD_PROFILE="slow") as judge,
        Started(worker, tmp_path / "one") as first,
        Started(worker, tmp_path / "two") as second,
    ):
        assert judge.wait() == PASS, judge.output
        assert first.wait() == 0, first.output
        assert second.wait() == 0, second.output
    assert document(tmp_path / "master")["totals"]["overall"]["requests"] == stub.received["/slow"] == 4
    assert not (tmp_path / "one" / "reports").exists()
