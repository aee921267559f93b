"""Test that a lost, stopped or disconnected worker is named, never a pass, and that nothing is counted twice."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadgate.recorder import Recorder
from tests.loadgate.running.distributed import Worker, distributed, locust_of
from tests.loadgate.running.support import (
    ERROR,
    INCONCLUSIVE,
    PASS,
    SUITE,
    USAGE,
    Started,
    document,
    finish,
    loadgate_command,
    locust,
    locust_command,
    master_ports,
    wait_until,
)
from tests.loadgate.stub_server import StubServer
from tests.support.fault_proxy import Toxic, ToxicName, fault_proxy

RATE = 40
HEARTBEATS = 4
"""The number of seconds that a worker may be silent. Locust's default is 3."""
RUN_S = 18 + 3 * HEARTBEATS
IMPATIENT = {"TEST_HEARTBEATS": str(HEARTBEATS)}
IMPATIENT_WORKER = Worker(env=IMPATIENT)


def worker_of(run: dict[str, Any], pid: int) -> tuple[dict[str, Any], str]:
    """The record of the worker with this process, and its name in messages."""
    (found,) = [worker for worker in run["workers"] if worker["pid"] == pid]
    return found, f"worker {found['worker']} ({found['host']}, pid {pid})"


def note_on(run: dict[str, Any], name: str) -> str:
    """The only note on the worker of this name."""
    (note,) = [note for note in run["verdict"]["notes"] if note.startswith(f"{name} ")]
    assert isinstance(note, str)
    return note


def accounted(run: dict[str, Any]) -> int:
    """The number of arrivals that the record of an open model accounts for. Each arrival sends one request."""
    counters = run["counters"]
    unsent = counters.get("arrivals_never_started", 0) + counters.get("arrivals_dropped", 0)
    return int(run["totals"]["overall"]["requests"] + unsent)


def assert_equal_totals(run: dict[str, Any], stub: StubServer, workers: int) -> None:
    """The stub, the workers and the master have counted the same requests."""
    assert len(run["workers"]) == workers
    assert [worker["counted_requests"] for worker in run["workers"]] == [
        worker["merged_requests"] for worker in run["workers"]
    ]
    assert sum(worker["counted_requests"] for worker in run["workers"]) == stub.total
    assert run["totals"]["overall"]["requests"] == stub.total
    assert all(worker["is_complete"] for worker in run["workers"])


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("rate", [[], ["--rate", f"{RATE}/s"]], ids=["closed", "open"])
def test_master_and_workers_count_what_the_target_counts(
    tmp_path: Path, stub: StubServer, workers: int, rate: list[str]
) -> None:
    options = ["--host", stub.url, "-t", "6s", *rate]
    with distributed(tmp_path, options, *[Worker()] * workers, LOAD_PROFILE="roomy") as (judge, started, _):
        # On a busy machine, there can be too few requests, and arrivals can be late.
        assert judge.wait() in {PASS, INCONCLUSIVE}, judge.output
        assert [worker.wait() for worker in started] == [0] * workers
    run = document(tmp_path / "master")
    assert_equal_totals(run, stub, workers)
    assert {worker["pid"] for worker in run["workers"]} == {worker.process.pid for worker in started}
    if rate:
        assert accounted(run) == 6 * RATE


@pytest.mark.full
@pytest.mark.parametrize("option", ["--workers", "--processes"])
def test_loadgate_starts_a_master_and_its_workers(tmp_path: Path, stub: StubServer, option: str) -> None:
    command = loadgate_command("run", "roomy", "-t", "6s", "--host", stub.url, "-f", str(SUITE), option, "4")
    done = finish(command, tmp_path)
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    assert document(tmp_path)["verdict"]["exit_code"] == done.returncode
    assert_equal_totals(document(tmp_path), stub, 4)
    assert (tmp_path / "reports" / "performance" / "roomy_load_report.html").exists()


@pytest.mark.full
def test_the_others_take_over_the_arrivals_of_a_killed_worker(tmp_path: Path, stub: StubServer) -> None:
    options = ["--host", stub.url, "--rate", f"{RATE}/s"]
    with distributed(
        tmp_path, [*options, "-t", f"{RUN_S}s"], *[IMPATIENT_WORKER] * 4, **IMPATIENT, LOAD_PROFILE="roomy"
    ) as (judge, workers, _):
        wait_until(lambda: stub.total > 2 * RATE, "some requests")
        workers[1].signal(signal.SIGKILL)
        wait_until(lambda: "assigned the arrivals" in judge.output, "the take-over")
        assert judge.wait() == INCONCLUSIVE, judge.output
    run = document(tmp_path / "master")
    _, name = worker_of(run, workers[1].process.pid)
    assert note_on(run, name).endswith(
        "was lost during the run, so its load stopped early and its last requests are missing"
    )
    assert "arrivals never started because a worker was lost, away or late" in " ".join(run["verdict"]["notes"])
    assert run["counters"]["arrivals_of_lost_workers"] > 0
    # Without the take-over, a quarter of the rate would be missing until the end.
    last = [slot.totals.requests for slot in Recorder.from_json(run["recording"]).time_slots()][-10:-2]
    assert sum(last) > 0.87 * 8 * RATE, last
    planned = RATE * RUN_S
    assert run["totals"]["overall"]["requests"] <= stub.total <= planned
    # Requests that were in flight in the killed worker are in no record.
    assert planned - 10 <= accounted(run) <= planned


@pytest.mark.full
def test_the_others_run_the_users_of_a_killed_worker(tmp_path: Path, stub: StubServer) -> None:
    with distributed(
        tmp_path, ["--host", stub.url, "-t", f"{RUN_S}s"], *[IMPATIENT_WORKER] * 4, **IMPATIENT, LOAD_PROFILE="roomy"
    ) as (judge, workers, _):
        wait_until(lambda: stub.total > 80, "some requests")
        workers[2].signal(signal.SIGKILL)
        assert judge.wait() == INCONCLUSIVE, judge.output
    run = document(tmp_path / "master")
    killed, name = worker_of(run, workers[2].process.pid)
    assert "was lost during the run" in note_on(run, name)
    assert not killed["is_complete"]
    users = [count for _, count in run["user_counts"]]
    assert users[-3] == 4, users
    # Without the move of its user, a quarter of the requests would be missing until the end.
    rates = [slot.totals.requests for slot in Recorder.from_json(run["recording"]).time_slots()]
    assert sum(rates[-10:-2]) > 0.87 * 8 * max(rates[:4]), rates


@pytest.mark.full
def test_a_worker_that_stood_still_starts_no_arrival_of_the_others(tmp_path: Path, stub: StubServer) -> None:
    options = ["--host", stub.url, "--rate", f"{RATE}/s"]
    with distributed(
        tmp_path, [*options, "-t", f"{RUN_S}s"], *[IMPATIENT_WORKER] * 2, **IMPATIENT, LOAD_PROFILE="roomy"
    ) as (judge, workers, _):
        wait_until(lambda: stub.total > 2 * RATE, "some requests")
        workers[0].signal(signal.SIGSTOP)
        wait_until(lambda: judge.output.count("assigned the arrivals") == 1, "the take-over")
        workers[0].signal(signal.SIGCONT)
        wait_until(lambda: judge.output.count("assigned the arrivals") == 2, "the return")
        assert judge.wait() == INCONCLUSIVE, judge.output
    run = document(tmp_path / "master")
    _, name = worker_of(run, workers[0].process.pid)
    assert re.search(r"was away from 0:\d\d to 0:\d\d of the run, so the load may have been lower", note_on(run, name))
    assert_equal_totals(run, stub, 2)
    assert run["counters"]["arrivals_of_lost_workers"] > 0
    assert accounted(run) == RATE * RUN_S


@pytest.mark.full
@pytest.mark.parametrize(
    ("toxic", "rate", "further_s"), [("down", True, 0), ("timeout", True, 0), ("timeout", True, 15), ("down", False, 0)]
)
def test_the_reports_of_a_disconnected_worker_arrive_later(
    tmp_path: Path, stub: StubServer, toxic: ToxicName, rate: bool, further_s: int
) -> None:
    """`down` resets the connection and refuses new ones; `timeout` holds all that is sent.

    The cut lasts about 5 s, until the master misses the worker, and then `further_s`.
    """
    run_s = RUN_S + further_s
    options = ["--host", stub.url, *(["--rate", f"{RATE}/s"] if rate else [])]
    (tmp_path / "far").mkdir()
    with (
        distributed(
            tmp_path,
            [*options, "-t", f"{run_s}s"],
            IMPATIENT_WORKER,
            expected=2,
            **IMPATIENT,
            LOAD_PROFILE="roomy",
        ) as (judge, _, at_port),
        fault_proxy(int(at_port[-1])) as proxy,
        Started(
            [*locust_of(SUITE), "--worker", "--master-port", str(proxy.port)], tmp_path / "far", **IMPATIENT
        ) as far,
    ):
        wait_until(lambda: stub.total > 80, "some requests")
        proxy.add(Toxic(toxic))
        wait_until(lambda: "failed to send heartbeat" in judge.output, "the master misses it")
        time.sleep(further_s)
        proxy.clear()
        wait_until(lambda: "self-healed" in judge.output, "the master hears of it again")
        assert judge.wait() == INCONCLUSIVE, judge.output
        assert far.wait() == PASS, far.output
    run = document(tmp_path / "master")
    _, name = worker_of(run, far.process.pid)
    assert "was away from" in note_on(run, name)
    assert_equal_totals(run, stub, 2)
    if rate:
        assert accounted(run) == RATE * run_s


@pytest.mark.full
def test_a_worker_of_a_restarted_master_ends_with_one_line(tmp_path: Path, stub: StubServer) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "new").mkdir()
    options = ["--host", stub.url, "-t", "50s"]
    with distributed(tmp_path, options, Worker(), LOAD_PROFILE="roomy") as (judge, (old,), at_port):
        wait_until(lambda: stub.total > 40, "some requests")
        judge.signal(signal.SIGKILL)
        judge.wait()
        master = ["--master", "--expect-workers", "1", "--master-bind-host", "127.0.0.1"]
        command = locust_command("--host", stub.url, "-t", "8s", *master, "--master-bind-port", at_port[-1])
        with Started(command, tmp_path / "second", LOAD_PROFILE="roomy") as second:
            assert old.wait() == ERROR, old.output
            assert [line for line in old.output.splitlines() if line.startswith("loadgate:")] == [
                "loadgate: the master was restarted and does not know this worker's run; start the worker again"
            ]
            before = stub.total
            with Started([*locust_of(SUITE), *at_port], tmp_path / "new") as new:
                assert second.wait() == PASS, second.output
                assert new.wait() == PASS, new.output
    run = document(tmp_path / "second")
    assert run["totals"]["overall"]["requests"] == stub.total - before
    assert [worker["pid"] for worker in run["workers"]] == [new.process.pid]


@pytest.mark.full
def test_a_worker_whose_master_is_gone_ends_and_says_that_its_reports_are_lost(
    tmp_path: Path, stub: StubServer
) -> None:
    impatient = Worker(env={"TEST_MASTER_TIMEOUT_S": "5"})
    options = ["--host", stub.url, "-t", "50s"]
    with distributed(tmp_path, options, impatient, LOAD_PROFILE="roomy") as (judge, (worker,), _):
        wait_until(lambda: stub.total > 40, "some requests")
        judge.signal(signal.SIGKILL)
        assert worker.wait() == ERROR, worker.output
    (line,) = [line for line in worker.output.splitlines() if line.startswith("loadgate:")]
    lost = r"(a report|\d reports) of this worker, so its latest requests are lost"
    assert re.fullmatch(f"loadgate: the master has not acknowledged {lost}", line)


@pytest.mark.full
def test_the_workers_of_a_killed_master_end_with_it(tmp_path: Path, stub: StubServer) -> None:
    command = locust_command("--host", stub.url, "-t", "50s", "--processes", "2", *master_ports())
    with Started(command, tmp_path, LOAD_PROFILE="roomy") as run:
        wait_until(lambda: stub.total > 40, "some requests")
        workers = psutil.Process(run.process.pid).children()
        run.signal(signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, timeout=60)
    assert (len(gone) >= 2, alive) == (True, [])


@pytest.mark.parametrize("mode", ["--headless", "--autostart"])
def test_a_master_that_starts_by_itself_needs_the_number_of_workers(
    tmp_path: Path, stub: StubServer, mode: str
) -> None:
    command = [*locust_of(SUITE), mode, "--master", "--host", stub.url]
    done = finish(command, tmp_path, LOAD_PROFILE="roomy")
    assert done.returncode == USAGE, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("loadgate: --master: a master without its web interface needs the number of workers")
    assert line.endswith("add --expect-workers, such as --expect-workers 2")
    assert stub.total == 0


def test_the_number_of_workers_can_come_from_the_environment(tmp_path: Path, stub: StubServer) -> None:
    # A worker that does not come ends the run after a second.
    options = ["--master", *master_ports()[:4], "--expect-workers-max-wait", "1"]
    done = locust(tmp_path, "--host", stub.url, *options, LOCUST_EXPECT_WORKERS="1", LOAD_PROFILE="roomy")
    assert done.returncode == ERROR, done.stdout + done.stderr
    assert "Gave up waiting for workers to connect" in done.stderr + done.stdout
    assert "loadgate: 0 of 1 workers have connected within 1 s; see their logs" in done.stderr
