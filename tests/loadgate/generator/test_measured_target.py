"""Test which waits and cores the settings declare."""

from __future__ import annotations

from pathlib import Path

from loadgate.analysis.causes.waits import Wait, WaitKind
from loadgate.generator.measured_target import measured_target
from loadgate.project import Project, load_project
from loadgate.recorder.resources import ResourceRecord

SETTINGS = """
[[tool.loadgate.resource]]
name = "api"
kind = "process"
command = "serve"
cores = 1

[[tool.loadgate.resource]]
name = "worker"
kind = "process"
command = "work"

[[tool.loadgate.resource]]
name = "database"
kind = "prometheus"
quantity = "connections"
used = "used"
limit = "limit"
wait = "wait_seconds"
waiting_for = "a database connection"

[[tool.loadgate.resource]]
name = "api"
kind = "prometheus"
quantity = "loop_lag"
wait = "lag_seconds"
is_lag = true
inside = "database wait"
"""


def waits_of(project: Project) -> list[Wait]:
    return list(measured_target(project, ResourceRecord()).waits)


def test_the_waits_of_the_settings_are_those_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    project = load_project(tmp_path)
    assert waits_of(project) == [
        Wait("database", "wait", "waiting for a database connection", held="connections"),
        Wait("api", "loop_lag", "waiting for api", WaitKind.LAG, inside=("database", "wait")),
        Wait("api", "cpu_wait", "waiting for a CPU core in api", WaitKind.CPU),
    ]
    assert measured_target(project, ResourceRecord()).cores == {"api": 1}


def test_the_processes_that_serve_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS.replace('command = "work"', 'command = "work"\nserves = true'))
    assert [wait.resource for wait in waits_of(load_project(tmp_path)) if wait.kind is WaitKind.CPU] == ["worker"]


def test_without_settings_the_whole_target_waits_for_cores(tmp_path: Path) -> None:
    assert waits_of(Project(root=tmp_path)) == [
        Wait("target", "cpu_wait", "waiting for a CPU core in target", WaitKind.CPU)
    ]
