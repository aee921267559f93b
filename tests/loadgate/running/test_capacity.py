"""Whole searches for the capacity of a stub that can be computed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.loadgate.running.support import (
    FAIL,
    FULL,
    INCONCLUSIVE,
    PASS,
    USAGE,
    Started,
    finish,
    loadgate_command,
    wait_until,
)

ROOT = Path(__file__).parents[3]
SETTINGS = f"""[tool.loadgate]
locustfile = "locustfile.py"
[tool.loadgate.target]
command = [{json.dumps(sys.executable)}, "-m", "benchmarks.calibrate.stubs.queueing", "--servers", "4",
           "--service", "0.1", "--law", "constant"]
ready_line = 'http://\\S+'
env = {{ PYTHONPATH = {json.dumps(str(ROOT))} }}
"""
SUITE = """
import loadgate
from loadgate import HealthLimits, LoadProfile
from loadgate.users import BaseUser
from locust import task

class Visitor(BaseUser):
    group = "pages"

    @task
    def page(self):
        self.client.get("/", name="page")

loadgate.install(
    profiles={"steady": LoadProfile("steady", users=20)},
    user_classes=[Visitor],
    rules=["pages: p90 < 5s", "pages: requests > 1", "capacity >= 30/s"],
    preflight=[],
    # Other tests that run at the same time do not make a trial void.
    generator_limits=HealthLimits(cpu_share=100, lag_p99_ms=60_000, throttled_share=1),
)
"""
ONE_RATE = ("steady", "--trial", "10s", "--settle", "1s")
SHORT = (*ONE_RATE, "--confirm", "10s")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "locustfile.py").write_text(SUITE)
    return tmp_path


def search(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the capacity.json of the only search."""
    (found,) = (folder / "reports" / "performance" / "capacity").iterdir()
    return found, json.loads((found / "capacity.json").read_text())


@FULL
def test_a_rate_below_the_capacity_is_sustained(folder: Path) -> None:
    done = finish(loadgate_command("capacity", *ONE_RATE, "--at-least", "20/s"), folder)
    assert done.returncode == PASS, done.stdout + done.stderr
    assert "PASS: sustains at least 20/s" in done.stdout
    found, document = search(folder)
    assert document["result"]["holds_per_s"] == 20
    assert [item["rule"] for item in document["not_judged"]] == ["pages: requests > 1", "capacity >= 30/s"]
    assert (found / "capacity.html").read_text().startswith("<!doctype html>")
    assert (found / document["trials"][0]["folder"] / "run.json").is_file()


@FULL
def test_a_search_judges_the_rule_on_the_capacity_and_a_run_does_not(folder: Path) -> None:
    """With 35/s as the highest rate, the search finds no upper bound, but the rule holds."""
    done = finish(loadgate_command("capacity", *SHORT, "--from", "35/s", "--to", "35/s"), folder)
    assert done.returncode == PASS, done.stdout + done.stderr
    assert "PASS capacity >= 30/s: holds at 35/s" in done.stdout
    history = finish(loadgate_command("history"), folder)
    assert ">= 30/s" in history.stdout
    assert "PASS" in history.stdout
    run = finish(loadgate_command("run", "steady", "-t", "3s"), folder)
    words = "not judged: capacity >= 30/s (a run does not measure the capacity; loadgate capacity judges it)"
    assert words in " ".join(run.stdout.split())


@FULL
def test_a_rate_above_the_capacity_breaks(folder: Path) -> None:
    """Four slots of 0.1 s complete 40 requests per second."""
    done = finish(loadgate_command("capacity", *ONE_RATE, "--at-least", "90/s"), folder)
    assert done.returncode == FAIL, done.stdout + done.stderr
    assert "FAIL: does not sustain 90/s; first to break: growing queue" in done.stdout.replace("\n  ", " ")


def test_an_interrupted_search_leaves_nothing(folder: Path) -> None:
    with Started(loadgate_command("capacity", *SHORT), folder) as started:
        wait_until(lambda: list(folder.glob("reports/performance/capacity/*/trials/01/target.log")), "the target", 100)
        children = psutil.Process(started.process.pid).children(recursive=True)
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(60) == 1
    assert list((folder / "reports" / "performance" / "capacity").iterdir()) == []
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@FULL
def test_an_interrupted_search_reports_what_it_has_measured(folder: Path) -> None:
    with Started(loadgate_command("capacity", *SHORT, "--from", "20/s"), folder) as started:
        wait_until(lambda: list(folder.glob("reports/performance/capacity/*/trials/02/target.log")), "trial 2", 100)
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(60) == INCONCLUSIVE
    assert "; the search was interrupted" in started.output.replace("\n  ", " ")
    _, document = search(folder)
    assert document["result"]["reason"] == "the search was interrupted"
    assert len(document["trials"]) == 1


@FULL
def test_a_target_that_starts_only_once_ends_the_search_with_what_was_measured(folder: Path) -> None:
    project = folder / "pyproject.toml"
    once = 'test -e used && echo "the port is in use" && exit 3; touch used; exec "$@"'
    project.write_text(project.read_text().replace("command = [", f"command = ['sh', '-c', '{once}', 'sh', "))
    done = finish(loadgate_command("capacity", *SHORT, "--from", "20/s"), folder)
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    output = done.stdout.replace("\n  ", " ")
    assert "a trial at 40/s could not be carried out: the target ended with exit code 3; its last lines" in output
    assert "the port is in use" in output
    _, document = search(folder)
    assert len(document["trials"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "unknown load profile 'nothing'"),
        (("steady", "--from", "5"), "--from: '5' has no unit; did you mean 5/s?"),
        (("steady", "--at-least", "5/s", "--from", "1/s", "--confirm", "1m"), "leave out --from and --confirm"),
        (("steady", "--width", "x"), "'x' is not a percentage"),
    ],
)
def test_wrong_arguments_start_nothing(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    done = finish(loadgate_command("capacity", *arguments), folder)
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert words in done.stderr
    assert not (folder / "reports").exists()
