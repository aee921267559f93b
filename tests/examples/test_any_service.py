"""The suite for somebody else's service: the three commands of its README, run against its server."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.loadgate.running.support import (
    ERROR,
    PASS,
    Started,
    document,
    finish,
    free_port,
    loadgate_command,
    wait_until,
)
from tests.support.stack import ROOT

pytestmark = pytest.mark.process

EXAMPLE = ROOT / "examples" / "any_service"
COMMANDS = re.findall(r"^loadgate (.+)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
# A run is too short for its limits, but the suite, the target and the check work.
SHORT = ("-t", "3s", "-r", "10")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    settings = tmp_path / "pyproject.toml"
    settings.write_text(settings.read_text().replace('"python3"', f'"{sys.executable}"'))
    return tmp_path


def test_the_readme_has_three_commands() -> None:
    assert [shlex.split(command)[0] for command in COMMANDS] == ["profiles", "run", "run"]


def test_the_profiles_are_listed_without_problems(folder: Path) -> None:
    done = finish(loadgate_command(*shlex.split(COMMANDS[0])), folder)
    assert (done.returncode, done.stderr) == (PASS, "")
    assert re.findall(r"^(\w+)(?: \(default\))?:", done.stdout, re.MULTILINE) == ["smoke", "steady"]


def test_a_run_starts_the_service_and_passes_its_checks(folder: Path) -> None:
    done = finish(loadgate_command(*shlex.split(COMMANDS[1]), *SHORT), folder)
    assert (folder / "reports/performance/smoke_load_report.html").is_file(), done.stdout + done.stderr
    run = document(folder)
    assert done.returncode == run["verdict"]["exit_code"] != ERROR
    assert (run["totals"]["overall"]["failures"], run["exceptions"]) == (0, [])
    assert set(run["totals"]["groups"]) == {"reading", "loans"}
    assert run["target"] is not None
    measured = {(column["resource"], column["quantity"]) for column in run["resources"]["columns"]}
    assert {("library", "memory"), ("library", "cpu"), ("library", "loans")} <= measured
    assert run["resources"]["notes"] == []


@pytest.mark.full
def test_a_run_tests_a_service_that_is_running(folder: Path) -> None:
    port = free_port()
    with Started([sys.executable, "server.py", "--port", str(port)], folder) as server:
        wait_until(lambda: "http://" in server.output, "the server")
        arguments = shlex.split(COMMANDS[2].replace("8080", str(port)))
        done = finish(loadgate_command(*arguments, "-t", "3s"), folder)
    run = document(folder)
    assert done.returncode == run["verdict"]["exit_code"] != ERROR, done.stdout + done.stderr
    assert run["totals"]["overall"]["failures"] == 0
    assert run["target"] is None
