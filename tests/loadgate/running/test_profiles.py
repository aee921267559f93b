"""Test that profiles set Locust's defaults, that explicit options take precedence, and that errors end Locust."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loadgate.running.support import (
    FULL,
    INCONCLUSIVE,
    USAGE,
    assert_artefacts,
    document,
    finish,
    free_port,
    locust,
    wait_until,
    web_ui,
)
from tests.loadgate.stub_server import StubServer
from tests.support.stack import ROOT


@pytest.mark.parametrize(
    ("options", "env", "shown"),
    [
        ([], {"LOAD_PROFILE": "hanging"}, "4 20.0 2 hanging"),
        pytest.param(["--load-profile", "slow"], {"LOAD_PROFILE": "hanging"}, "4 20.0 2 slow", marks=FULL),
        (["-u", "2", "-r", "3", "-t", "1s"], {"LOAD_PROFILE": "tight"}, "2 3.0 1 tight"),
        (["-t", "1s"], {"LOAD_PROFILE": "tight", "LOCUST_USERS": "3"}, "3 20.0 1 tight"),
        pytest.param(["-u", "1", "-t", "1s", "--profile", "nightly"], {}, "1 20.0 1 nightly", marks=FULL),
        pytest.param(["-u", "1", "-t", "1s"], {"LOAD_PROFILE": ""}, "1 20.0 1 roomy", marks=FULL),
    ],
)
def test_defaults_and_their_overrides(
    tmp_path: Path, stub: StubServer, options: list[str], env: dict[str, str], shown: str
) -> None:
    done = locust(tmp_path, "-s", "0", *options, TARGET_HOST=stub.url, TEST_SHOWN_OPTIONS="1", **env)
    assert f"options {shown} {stub.url}" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("profile", "lines"),
    [
        ("nope", ["unknown load profile 'nope'; known profiles: roomy, tight"]),
        ("unknown-class", ["profile 'unknown-class': unknown user class NoSuchUser in weight_config; known classes:"]),
        ("bad-rule", ["rule 1, column ", "rule 2, column "]),
        ("bad-threshold", ["unknown threshold 'quick_p95'; the known forms are"]),
        (
            "misspelt",
            [
                "threshold for 'quik': no user class has that group; did you mean 'quick'?",
                "profile 'misspelt': rule 'quick: p95 < 1000ms in rush' names the stage 'rush'; its stages are",
            ],
        ),
    ],
)
def test_each_mistake_in_the_suite_is_one_line_and_no_request_is_sent(
    tmp_path: Path, stub: StubServer, profile: str, lines: list[str]
) -> None:
    done = locust(tmp_path, "--host", stub.url, LOAD_PROFILE=profile)
    assert done.returncode == USAGE
    printed = done.stderr.splitlines()
    assert len(printed) == len(lines), done.stderr
    for line, expected in zip(printed, lines, strict=True):
        assert line.startswith("loadgate: ")
        assert expected in line
    assert stub.total == 0


def test_a_rule_on_a_stage_needs_the_stages_of_its_profile(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(
        "import loadgate\n"
        "from loadgate import LoadProfile, Stage\n"
        "from loadgate.users import BaseUser\n"
        "class Visitor(BaseUser):\n"
        "    tasks = [lambda user: None]\n"
        "loadgate.install(profiles={'rush': LoadProfile('rush', stages=[Stage('2s', users=2, name='rush')],"
        " rules=['overall: failures < 5% in rush'])}, user_classes=[Visitor], preflight=[])\n"
    )
    options = ["--headless", "--host", "http://127.0.0.1:9", "--rate", "5/s"]
    done = finish([sys.executable, "-m", "locust", *options], tmp_path)
    assert done.returncode == USAGE
    (line,) = done.stderr.splitlines()
    assert line == (
        "loadgate: profile 'rush': rule 'overall: failures < 5% in rush' names the stage 'rush'; "
        "a run at one rate does not have it, so choose a profile without stages"
    )


@pytest.mark.parametrize("env", [{}, {"LOCUST_RUN_TIME": "0"}])
def test_a_run_time_of_zero_is_refused(tmp_path: Path, stub: StubServer, env: dict[str, str]) -> None:
    done = locust(tmp_path, "--host", stub.url, *([] if env else ["-t", "0s"]), **env)
    assert (done.returncode, stub.total) == (USAGE, 0), done.stderr
    assert "loadgate: --run-time 0s: must be above 0, such as 30s" in done.stderr.splitlines()


def test_a_missing_host_is_one_line(tmp_path: Path) -> None:
    done = locust(tmp_path)
    assert done.returncode == USAGE
    assert "loadgate: no host to test: use --host or set TARGET_HOST" in done.stderr


def test_classes_without_weight_do_not_run_unless_named(tmp_path: Path, stub: StubServer) -> None:
    done = locust(tmp_path, "--host", stub.url, "-s", "0", "-t", "1s", "SlowUser", LOAD_PROFILE="roomy")
    assert document(tmp_path)["run"]["user_classes"] == {"SlowUser": 1}, done.stderr
    assert set(stub.received) == {"/slow"}


def test_the_web_interface_is_filled_in_and_each_of_its_runs_is_judged(tmp_path: Path, stub: StubServer) -> None:
    with web_ui(tmp_path, "--host", stub.url, LOAD_PROFILE="hanging") as (ui, started):
        page = ui.get("/")
        assert re.search(r'"num_users": 4\b', page)
        assert re.search(r'"spawn_rate": 20', page)
        assert re.search(r'"run_time": 2\b', page)

        ui.start(f"http://127.0.0.1:{free_port()}")
        wait_until(lambda: "is not reachable" in ui.get("/exceptions"), "the failed preflight")
        assert stub.total == 0
        assert not (tmp_path / "reports").exists()

        ui.start(stub.url)
        wait_until(lambda: stub.total > 20, "some requests")
        ui.stop()
        wait_until(lambda: "exit code" in started.output, "the verdict")
        assert_artefacts(tmp_path)
        assert document(tmp_path)["run"]["ending"] == "interrupted"
        # The refused start counts as a failure of the gate.
        assert "the suite set exit code" not in started.output
        started.signal(signal.SIGINT)
        assert started.wait() == INCONCLUSIVE, started.output


def test_a_group_of_requests_that_extends_that_of_the_user_is_not_misspelt() -> None:
    program = (
        "from loadgate.generator.defaults import rules_of\n"
        "from loadgate.shape.profile import LoadProfile\n"
        "from loadgate.users import BaseUser\n"
        "class SubscriptionsUser(BaseUser):\n"
        "    group = 'subscriptions'\n"
        "limits = {'subscriptions_p95_ms': 1, 'subscriptions_tasks_p95_ms': 2}\n"
        "profile = LoadProfile(name='one', users=1, spawn_rate=1, run_time='1s')\n"
        "print(*(rule.scope for rule in rules_of(profile, limits, (), [SubscriptionsUser])))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["subscriptions", "subscriptions_tasks"], done.stderr
