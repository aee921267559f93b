"""Test runs that end early: interrupts and dead targets."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import psutil
import pytest

from tests.loadgate.running.support import (
    ERROR,
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    Started,
    assert_artefacts,
    document,
    finish,
    loadgate_command,
    locust_command,
    master_ports,
    run_folder,
    wait_until,
)
from tests.loadgate.running.test_loadgate_run import project
from tests.loadgate.stub_server import StubServer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_its_artefacts_and_never_passes(
    tmp_path: Path, stub: StubServer, number: signal.Signals
) -> None:
    command = locust_command("--host", stub.url, "-t", "60s", "--html", "out/report.html")
    with Started(command, tmp_path, LOAD_PROFILE="roomy") as run:
        wait_until(lambda: stub.total > 60, "some requests")
        run.signal(number)
        assert run.wait() == INCONCLUSIVE, run.output
    assert_artefacts(tmp_path)
    written = document(tmp_path)
    assert written["run"]["ending"] == "interrupted"
    assert "interrupted after" in written["verdict"]["reason"]
    assert written["totals"]["overall"]["requests"] == stub.total
    assert (tmp_path / "out/report.html").exists()


def test_an_interrupted_run_that_broke_a_rule_fails(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    with Started(locust_command("--host", stub.url, "-t", "60s"), tmp_path, LOAD_PROFILE="tight") as run:
        wait_until(lambda: stub.total > 60, "some requests")
        run.signal(signal.SIGINT)
        assert run.wait() == FAIL, run.output
    assert document(tmp_path)["run"]["ending"] == "interrupted"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_requests_that_an_interrupt_cuts_off_are_not_failures(tmp_path: Path, stub: StubServer, processes: int) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    command = locust_command("--host", stub.url, "-t", "60s", *several)
    with Started(command, tmp_path, LOAD_PROFILE="hanging") as run:
        wait_until(lambda: stub.received["/hang"] == 1 and stub.total > 40, "a request that hangs")
        run.signal(signal.SIGINT)
        assert run.wait() == INCONCLUSIVE, run.output
    written = document(tmp_path)
    assert written["totals"]["overall"]["failures"] == 0
    assert written["counters"] == {"cut_off": 1}
    assert written["totals"]["overall"]["requests"] == stub.total - 1
    assert any("hang" in row["name"] for row in written["recording"]["in_flight"])
    note = "the interrupt cut off 1 request; it is not counted as failed or as successful"
    assert note in written["verdict"]["notes"]


def test_requests_in_flight_count_when_a_run_is_interrupted_twice(tmp_path: Path, stub: StubServer) -> None:
    with Started(locust_command("--host", stub.url, "-t", "60s"), tmp_path, LOAD_PROFILE="hanging") as run:
        wait_until(lambda: stub.received["/hang"] == 1 and stub.total > 40, "a request that hangs")
        run.signal(signal.SIGINT)
        wait_until(lambda: "Traceback" not in run.output and run.process.poll() is None, "still there", 1)
        run.signal(signal.SIGINT)
        assert run.wait() == INCONCLUSIVE, run.output
    assert_artefacts(tmp_path)
    written = document(tmp_path)
    assert written["totals"]["overall"]["requests"] + written["counters"]["cut_off"] == stub.total


@pytest.mark.full
def test_sigterm_during_the_end_of_a_run_changes_nothing(tmp_path: Path, stub: StubServer) -> None:
    with Started(locust_command("--host", stub.url, "-t", "60s"), tmp_path, LOAD_PROFILE="hanging") as run:
        wait_until(lambda: stub.received["/hang"] == 1 and stub.total > 40, "a request that hangs")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            run.signal(number)
        assert run.wait() == INCONCLUSIVE, run.output
        assert "Traceback" not in run.output
        assert run.output.count("INCONCLUSIVE: the rule held, but the run was interrupted after") == 1
    assert_artefacts(tmp_path)


@pytest.mark.full
def test_a_target_crash_under_load_fails_and_is_in_the_verdict(tmp_path: Path, stub: StubServer) -> None:
    with Started(locust_command("--host", stub.url, "-t", "6s"), tmp_path, LOAD_PROFILE="roomy") as run:
        wait_until(lambda: stub.total > 40, "some requests")
        stub.die()
        assert run.wait() == FAIL, run.output
    assert_artefacts(tmp_path)
    written = document(tmp_path)
    assert written["run"]["ending"] == "completed"
    (note,) = written["verdict"]["notes"]
    assert "no request succeeded in the last" in note
    assert "ConnectionRefusedError" in note


def test_interrupting_a_run_of_several_processes_keeps_every_request(tmp_path: Path, stub: StubServer) -> None:
    command = locust_command("--host", stub.url, "-t", "60s", "--processes", "2", *master_ports())
    with Started(command, tmp_path, LOAD_PROFILE="roomy") as run:
        wait_until(lambda: stub.total > 80, "some requests")
        children = psutil.Process(run.process.pid).children()
        run.signal(signal.SIGINT)
        assert run.wait() == INCONCLUSIVE, run.output
        psutil.wait_procs(children, timeout=10)
        assert not [child for child in children if child.is_running()]
    written = document(tmp_path)
    assert written["run"]["ending"] == "interrupted"
    assert written["totals"]["overall"]["requests"] == stub.total


@pytest.mark.parametrize("ours", [pytest.param(True, marks=FULL), False])
@pytest.mark.parametrize(("limit_kib", "code"), [(100, PASS), pytest.param(4, ERROR, marks=FULL)])
def test_write_errors_are_printed_below_the_verdict(
    tmp_path: Path, stub: StubServer, ours: bool, limit_kib: int, code: int
) -> None:
    project(tmp_path)
    options = ["--host", stub.url, "-t", "2s"]
    command = loadgate_command("run", "roomy", *options) if ours else locust_command(*options)
    done = finish(
        ["bash", "-c", f'ulimit -f {limit_kib}; exec "$@"', "bash", *command],
        tmp_path,
        LOAD_PROFILE="roomy",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY="/nowhere/page.md",
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "PASS: all 2 rules held" in done.stdout
    folder = run_folder(tmp_path)
    assert (folder / "junit.xml").exists()
    if code == PASS:
        here = folder.relative_to(tmp_path)
        assert (
            f"not written: report.html: File too large; write them later with: loadgate report {here}\n" in done.stdout
        )
        page = "loadgate: cannot write the job summary /nowhere/page.md: No such file or directory\n"
        assert done.stdout.count(page) == 1
        assert finish(loadgate_command("report", str(folder)), tmp_path).returncode == PASS
        assert_artefacts(tmp_path)
    else:
        assert re.search(r"^loadgate: not written: run.json, report.html.*: File too large$", done.stdout, re.MULTILINE)
        assert "exit code 1, because there is no run.json to prove that the run passed\n" in done.stdout


def test_a_generator_without_free_descriptors_names_the_limit_and_writes_its_files(
    tmp_path: Path, stub: StubServer
) -> None:
    command = ["bash", "-c", 'ulimit -n 90; exec "$@"', "-", *locust_command("--host", stub.url)]
    done = finish(command, tmp_path, LOAD_PROFILE="crowded")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert_artefacts(tmp_path)
    run = document(tmp_path)
    overall = run["totals"]["overall"]
    assert (run["run"]["ending"], overall["failures"], overall["requests"]) == ("completed", 0, stub.total)
    assert re.search(
        r"ran out of open files \(raise the limit: ulimit -n\): [\d,]+ requests were", run["verdict"]["reason"]
    )


def test_connections_are_closed_with_their_users(tmp_path: Path, stub: StubServer) -> None:
    with Started(locust_command("--host", stub.url), tmp_path, LOAD_PROFILE="leaving") as run:
        locust = psutil.Process(run.process.pid)

        def connections() -> int:
            return sum(connection.status == psutil.CONN_ESTABLISHED for connection in locust.net_connections("tcp"))

        wait_until(lambda: connections() >= 40, "a connection for each user")
        wait_until(lambda: connections() <= 4, "only those of the users that are left")
        run.signal(signal.SIGINT)
        assert run.wait() == INCONCLUSIVE, run.output
    assert document(tmp_path)["totals"]["overall"]["failures"] == 0
