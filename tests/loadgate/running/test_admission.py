"""Workers that cannot run the master's test are refused, in one line on both sides."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.loadgate.running.distributed import Worker, distributed, locust_of
from tests.loadgate.running.support import ERROR, PASS, SUITE, USAGE, Started, document, wait_until
from tests.loadgate.stub_server import StubServer

PLAIN = """
from locust import HttpUser, task

class QuickUser(HttpUser):
    @task
    def ping(self):
        self.client.get("/ping")
"""


def lines(started: Started) -> list[str]:
    return [line for line in started.output.splitlines() if line.startswith("loadgate:")]


def other_suite(folder: Path) -> Path:
    """Return a copy of the suite with another file."""
    copy = folder / "other" / SUITE.name
    copy.parent.mkdir()
    shutil.copy(SUITE, copy)
    with copy.open("a") as file:
        file.write("\nOTHER = True\n")
    return copy


def test_another_suite_ends_the_run_before_the_load(tmp_path: Path, stub: StubServer) -> None:
    stranger = Worker(suite=other_suite(tmp_path))
    with distributed(tmp_path, ["--host", stub.url], Worker(), stranger, LOAD_PROFILE="roomy") as (master, workers, _):
        assert master.wait() == USAGE, master.output
        assert [worker.wait() for worker in workers] == [0, USAGE]
    reason = "its suite differs in locustfile.py; use the same files on all machines"
    refused, ended = lines(master)
    assert refused.startswith("loadgate: worker ")
    assert refused.endswith(f" was refused: {reason}")
    assert ended == "loadgate: no load was generated, because a worker cannot run this test"
    (line,) = lines(workers[1])
    assert line.endswith(f" cannot be used: it refused this worker: {reason}")
    assert stub.total == 0


@pytest.mark.full
@pytest.mark.parametrize("late", ["another profile", "plain Locust"])
def test_a_stranger_that_comes_late_is_refused_while_the_run_goes_on(
    tmp_path: Path, stub: StubServer, late: str
) -> None:
    plain = tmp_path / "plain.py"
    plain.write_text(PLAIN)
    (tmp_path / "late").mkdir()
    options = ["--host", stub.url, "-t", "40s"]
    with distributed(tmp_path, options, Worker(), LOAD_PROFILE="roomy") as (master, workers, at_port):
        wait_until(lambda: stub.total, "the load")
        if late == "plain Locust":
            command, env, code = [*locust_of(plain), *at_port], {}, 0
            reason = "it does not run this version of loadgate"
        else:
            command, env, code = [*locust_of(SUITE), *at_port], {"LOAD_PROFILE": "tight"}, USAGE
            reason = "it was started with --load-profile tight and the master with roomy"
        with Started(command, tmp_path / "late", **env) as stranger:
            assert stranger.wait() == code, stranger.output
        assert master.wait(90) == PASS, master.output
        assert [worker.wait() for worker in workers] == [0]
    (line,) = lines(master)
    assert f" was refused: {reason}" in line
    run = document(tmp_path / "master")
    assert run["totals"]["overall"]["requests"] == stub.total
    assert [process["process"] for process in run["generator"]] == ["master", "worker 0"]
    assert [stage for _, stage in run["stages"]] == ["ramp", "steady"]


@pytest.mark.full
def test_a_worker_that_joins_late_is_admitted_and_gets_users(tmp_path: Path, stub: StubServer) -> None:
    (tmp_path / "late").mkdir()
    options = ["--host", stub.url, "-t", "40s", "-u", "6"]
    with distributed(tmp_path, options, Worker(), LOAD_PROFILE="roomy") as (master, workers, at_port):
        wait_until(lambda: stub.total, "the load")
        with Started([*locust_of(SUITE), *at_port], tmp_path / "late") as late:
            assert master.wait(90) == PASS, master.output
            assert [worker.wait() for worker in (*workers, late)] == [0, 0]
    assert lines(master) == []
    run = document(tmp_path / "master")
    assert run["totals"]["overall"]["requests"] == stub.total
    # Only a worker with users reports its health.
    assert [process["process"] for process in run["generator"]] == ["master", "worker 0", "worker 1"]
    assert run["user_counts"][-1][1] == 6, run["user_counts"]


def test_a_worker_that_cannot_reach_the_target_is_named(tmp_path: Path, stub: StubServer) -> None:
    cut_off = Worker(env={"TEST_CUT_OFF": "1"})
    with distributed(tmp_path, ["--host", stub.url], Worker(), cut_off, LOAD_PROFILE="roomy") as (master, workers, _):
        assert master.wait() == ERROR, master.output
        assert [worker.wait() for worker in workers] == [0, 0]
    (line,) = lines(master)
    assert re.match(rf"loadgate: worker \d \(.+\): target: {stub.url} is not reachable", line)
    assert stub.total == 0


@pytest.mark.full
def test_a_worker_with_a_small_limit_of_open_files_is_named(tmp_path: Path, stub: StubServer) -> None:
    limited = Worker(prefix=("bash", "-c", 'ulimit -n 200; exec "$@"', "-"))
    options = ["--host", stub.url, "-u", "600", "-r", "600"]
    with distributed(tmp_path, options, Worker(), limited, LOAD_PROFILE="roomy") as (master, workers, _):
        assert master.wait() == ERROR, master.output
        assert [worker.wait() for worker in workers] == [0, 0]
    (line,) = lines(master)
    assert line.endswith(": open files: its limit is 200, but 300 users need 388; raise the limit with: ulimit -n 388")
    assert stub.total == 0
