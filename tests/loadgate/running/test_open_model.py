"""Test complete runs with the open model, with stages and with early ends."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadgate.recorder import Recorder
from tests.loadgate.running.support import (
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    SUITE,
    USAGE,
    document,
    finish,
    loadgate_command,
    locust,
    master_ports,
    rule_of,
)
from tests.loadgate.stub_server import StubServer, stub_server


def requests_by_stage(run: dict[str, Any]) -> Counter[str]:
    recorder = Recorder.from_json(run["recording"])
    return Counter({stage: recorder.totals(stages=[stage]).requests for stage in recorder.stages()})


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_arrivals_follow_the_schedule_without_gaps_or_duplicates(
    tmp_path: Path, stub: StubServer, processes: int
) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    done = locust(tmp_path, "--host", stub.url, *several, LOAD_PROFILE="rates")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    # 2 s at 20/s, 1 s from there to 60/s, 1 s at 60/s.
    assert run["totals"]["overall"]["requests"] == stub.total
    assert stub.total == 140
    stages = requests_by_stage(run)
    assert set(stages) == {"base", "ramp", "peak"}
    assert stages["base"] == pytest.approx(40, abs=10)


@pytest.mark.full
def test_a_worker_without_users_gets_no_share_of_the_arrivals(tmp_path: Path, stub: StubServer) -> None:
    options = ["-u", "1", "-t", "2s", "--processes", "2", *master_ports()]
    done = locust(tmp_path, "--host", stub.url, *options, LOAD_PROFILE="open")
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    unserved = document(tmp_path)["counters"].get("arrivals_never_started", 0)
    # The single user may have been busy with the last ones.
    assert stub.total + unserved == 80
    assert stub.total > 40


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_arrivals_begin_when_all_users_have_ended_their_start(tmp_path: Path, stub: StubServer, processes: int) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    done = locust(tmp_path, "--host", stub.url, "-t", "2s", *several, LOAD_PROFILE="open-starting")
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    run = document(tmp_path)
    overall, before = run["totals"]["overall"], requests_by_stage(run)["outside"]
    assert before == stub.received["/sign-up"]
    assert overall["requests"] == stub.total
    assert before >= 40
    assert stub.received["/ping"] == pytest.approx(40, abs=1)
    assert run["run"]["duration_s"] == 2
    assert overall["requests_per_s"] == (stub.total - before) / 2


def test_runs_with_the_same_seed_start_the_same_tasks_and_settle_first(tmp_path: Path) -> None:
    received = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        with stub_server() as stub:
            done = locust(folder, "--host", stub.url, "-t", "3s", "--settle", "1s", "--seed", "7", LOAD_PROFILE="open")
        assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
        received.append(stub.received)
        stages = requests_by_stage(document(folder))
        assert set(stages) == {"ramp", "steady"}
        assert stages["ramp"] == pytest.approx(40, abs=10)
    assert received[0] == received[1]
    assert len(received[0]) > 1


def test_latency_counts_from_the_intended_start_and_service_time_from_the_sending(
    tmp_path: Path, stub: StubServer
) -> None:
    # After 40 requests the server stalls for 1.5 s. In a closed model, at most one request per user would be slow.
    stub.freeze_at, stub.freeze_s = 40, 1.5
    done = locust(tmp_path, "--host", stub.url, "-u", "4", "-t", "4s", LOAD_PROFILE="open")
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    run = document(tmp_path)
    overall = run["totals"]["overall"]
    assert overall["success_ms"]["p95"] >= 750
    assert overall["service_ms"]["p90"] < 750
    assert overall["service_ms"]["max"] >= 1400
    assert run["counters"]["arrivals_late"] >= 30
    assert overall["requests"] == stub.total


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_a_generator_that_stalls_does_not_make_the_target_slow(
    tmp_path: Path, stub: StubServer, processes: int
) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    done = locust(tmp_path, "--host", stub.url, *several, LOAD_PROFILE="open-blocked")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    rule = rule_of(run, "quick")
    assert rule["value"] > 50
    assert rule["outcome"] == "inconclusive"
    assert "this includes the load generator's own lag" in rule["reason"]


def test_arrivals_that_never_start_are_counted_and_prevent_a_pass(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "-u", "2", LOAD_PROFILE="open-slow")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["counters"]["arrivals_never_started"] >= 4
    assert run["totals"]["overall"]["requests"] == stub.total
    assert "arrivals never started" in run["verdict"]["reason"]


@pytest.mark.full
def test_a_rate_makes_any_profile_an_open_model(tmp_path: Path, stub: StubServer) -> None:
    command = loadgate_command("run", "roomy", "--rate", "30/s", "-t", "2s", "--host", stub.url, "-f", str(SUITE))
    done = finish(command, tmp_path)
    assert done.returncode == PASS, done.stdout + done.stderr
    assert stub.total == 60
    assert document(tmp_path)["run"]["users"] == 60


@pytest.mark.parametrize(
    ("options", "profile", "message"),
    [
        (["--rate", "fast"], "roomy", "rate: 'fast' is not an arrival rate"),
        (["--settle", "soon"], "open", "argument --settle: 'soon' is not a duration"),
        ([], "open-nested", "an open model needs subclasses of loadgate.users.BaseUser whose tasks are functions"),
    ],
)
def test_an_invalid_open_model_is_refused(
    tmp_path: Path, stub: StubServer, options: list[str], profile: str, message: str
) -> None:
    done = locust(tmp_path, "--host", stub.url, *options, LOAD_PROFILE=profile)
    assert done.returncode == USAGE
    (line,) = done.stderr.splitlines()
    assert message in line
    assert stub.total == 0


@pytest.mark.parametrize(
    ("options", "profile", "message"),
    [
        (["--settle", "1s"], "roomy", "--settle: needs an open model; give a rate, such as --rate 50/s"),
        (["--settle", "9s", "-t", "5s"], "open", "--settle 9s: must be shorter than the run time, 5s"),
    ],
)
def test_a_time_to_settle_needs_arrivals_and_a_longer_run(
    tmp_path: Path, stub: StubServer, options: list[str], profile: str, message: str
) -> None:
    done = locust(tmp_path, "--host", stub.url, "--loglevel", "WARNING", *options, LOAD_PROFILE=profile)
    assert done.returncode == USAGE
    assert done.stderr.splitlines() == [f"loadgate: {message}"]
    assert stub.total == 0


@pytest.mark.parametrize(
    ("options", "is_warned"), [(["--rate", "60/s", "-u", "150"], False), (["-u", "150", "-r", "150"], True)]
)
def test_only_a_selected_spawn_rate_is_called_high(
    tmp_path: Path, stub: StubServer, options: list[str], is_warned: bool
) -> None:
    done = locust(tmp_path, "--host", stub.url, *options, "-t", "2s", "--loglevel", "WARNING", LOAD_PROFILE="roomy")
    assert stub.total > 0
    assert ("Your selected spawn rate is very high" in done.stderr) == is_warned


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=FULL)])
def test_stages_change_the_users_and_mark_the_requests(tmp_path: Path, stub: StubServer, processes: int) -> None:
    several = ["--processes", "2", *master_ports()] if processes == 2 else []
    done = locust(tmp_path, "--host", stub.url, *several, LOAD_PROFILE="staged")
    assert done.returncode == PASS, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["run"]["planned_s"] == 6
    assert {2, 8, 1} <= {count for _, count in run["user_counts"]}
    stages = requests_by_stage(run)
    assert {"base", "spike", "after"} <= set(stages)
    assert stages["spike"] > stages["base"] > 0
    assert run["totals"]["overall"]["requests"] == stub.total


def test_an_abort_rule_ends_the_run_early_with_its_verdict(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE="abort")
    assert done.returncode == FAIL, done.stdout + done.stderr
    run = document(tmp_path)
    assert run["run"]["ending"] == "aborted"
    assert run["run"]["duration_s"] < 40
    assert rule_of(run, "quick")["outcome"] == "fail"
    assert any("the run was stopped early" in note for note in run["verdict"]["notes"])
    assert re.search(r"FAIL: .*exit code 99", done.stdout)


@pytest.mark.full
def test_a_latency_rule_aborts_only_with_a_healthy_generator(tmp_path: Path, stub: StubServer) -> None:
    stub.delay_s = 0.15
    done = locust(tmp_path, "--host", stub.url, "-t", "6s", LOAD_PROFILE="abort", TEST_LAG_LIMIT_MS="0")
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    assert document(tmp_path)["run"]["ending"] == "completed"
