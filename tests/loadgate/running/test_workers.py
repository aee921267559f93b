"""Test several generator processes: the master's record is the sum of their records."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from loadgate.recorder import Recorder
from tests.loadgate.running.distributed import Worker, distributed
from tests.loadgate.running.support import (
    PASS,
    document,
    locust,
    master_ports,
    run_folder,
)
from tests.loadgate.stub_server import StubServer
from tests.support.fault_proxy import Toxic, fault_proxy
from tests.support.shifted_clock import shifted_clock

OWN_HOST = """
import os

import loadgate
from loadgate import LoadProfile
from loadgate.users import BaseUser
from locust import task

class PingUser(BaseUser):
    group = "pings"
    host = os.environ["TEST_TARGET"]

    @task
    def ping(self):
        self.client.get("/ping", name="ping")

loadgate.install(
    profiles={"steady": LoadProfile("steady", users=20)},
    user_classes=[PingUser],
    rules=["pings: p95 < 60s"],
    preflight=[],
)
"""
"""A suite whose processes can reach the target by different ways."""


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
    workers = run["workers"]
    assert sum(worker["counted_requests"] for worker in workers) == stub.total
    assert [worker["counted_requests"] for worker in workers] == [worker["merged_requests"] for worker in workers]
    assert all(worker["is_complete"] and worker["pid"] for worker in workers)
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
@pytest.mark.parametrize(
    ("shift", "skew_s", "says"),
    [("+7s", -7, "7 s ahead of"), ("-200s", 200, "3 min 20 s behind")],
)
def test_a_worker_with_a_shifted_clock_has_the_same_seconds_as_the_others(
    tmp_path: Path, stub: StubServer, shift: str, skew_s: float, says: str
) -> None:
    shifted = Worker(env=shifted_clock(shift))
    options = ["--host", stub.url, "--rate", "40/s", "-t", "12s"]
    began_s = time.time()
    with distributed(tmp_path, options, shifted, Worker(), LOAD_PROFILE="roomy") as (judge, workers, _):
        assert judge.wait() == PASS, judge.output
        assert [worker.wait() for worker in workers] == [0, 0]
    run = document(tmp_path / "master")
    requests = Counter[int]()
    for slot in Recorder.from_json(run["recording"]).time_slots():
        requests[slot.start_s] += slot.totals.requests
    assert sum(requests.values()) == stub.total
    assert all(began_s - 1 <= second <= time.time() for second in requests)
    # With a worker whose seconds differ by 7 s, the run would last 19 s, and most seconds would have half of the rate.
    assert max(requests) - min(requests) <= 14
    assert 36 <= median(requests.values()) <= 44, requests
    assert all(began_s - 1 <= request["start_s"] <= time.time() for request in run["slowest"])
    skews_s = sorted((process["clock"]["skew_s"] for process in run["generator"] if "clock" in process), key=abs)
    assert skews_s == pytest.approx([0, skew_s], abs=0.1)
    (note,) = [note for note in run["verdict"]["notes"] if "clock" in note]
    assert re.fullmatch(rf"the clock of worker \d was {says} the master's; .*", note)


def test_only_the_master_judges_a_run_with_two_workers(tmp_path: Path, stub: StubServer) -> None:
    # The workers know nothing of the profile that the master runs.
    with distributed(tmp_path, ["--host", stub.url], Worker(), Worker(), LOAD_PROFILE="slow") as (judge, workers, _):
        assert judge.wait() == PASS, judge.output
        assert [worker.wait() for worker in workers] == [0, 0]
    assert document(tmp_path / "master")["totals"]["overall"]["requests"] == stub.received["/slow"] == 4
    assert not (tmp_path / "worker-0" / "reports").exists()


@pytest.mark.full
def test_a_worker_with_a_slow_way_to_the_target_is_named(tmp_path: Path, stub: StubServer) -> None:
    suite = tmp_path / "locustfile.py"
    suite.write_text(OWN_HOST)
    near = {"TEST_TARGET": stub.url}
    with fault_proxy(int(stub.url.rpartition(":")[2])) as proxy:
        proxy.add(Toxic("latency", ms=300))
        far = {"TEST_TARGET": f"http://127.0.0.1:{proxy.port}"}
        workers = [Worker(suite=suite, env=env) for env in (near, far)]
        options = ["--rate", "12/s", "-t", "80s"]
        with distributed(tmp_path, options, *workers, suite=suite, **near) as (judge, started, _):
            assert judge.wait(240) == PASS, judge.output
            assert [worker.wait() for worker in started] == [0, 0]
    run = document(tmp_path / "master")
    (slow,) = [worker["worker"] for worker in run["workers"] if worker["pid"] == started[1].process.pid]
    (note,) = [note for note in run["verdict"]["notes"] if "slower" in note]
    assert re.match(rf"worker {slow} was slower than the other workers: .* its p50 of 'ping' was 3\d\d ms on", note)
