"""What the `loadgate` command loads: to tell something about itself or a suite, none of what makes runs and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATOR = {"locust", "gevent", "geventhttpclient"}
# Pydantic is not among them: Typer itself reads options with it.
REPORTS = {"jinja2", "rich", "psutil", "loadgate.report.artefacts", "loadgate.runner.run"}
SERVICE = {"inference_core", "fastapi"}


def loaded(*arguments: str, folder: Path) -> set[str]:
    """The modules that the command has loaded at its end."""
    report = folder / "modules.json"
    program = (
        "import atexit, json, pathlib, sys\n"
        f"atexit.register(lambda: pathlib.Path({str(report)!r}).write_text(json.dumps(sorted(sys.modules))))\n"
        "from loadgate.entry import main\nmain()"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(report.read_text()))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["report", "--help"], ["ab", "--help"]]
)
def test_help_loads_neither_the_generator_nor_reports(arguments: list[str], tmp_path: Path) -> None:
    modules = loaded(*arguments, folder=tmp_path)
    assert "typer" in modules
    assert modules & (GENERATOR | REPORTS | SERVICE) == set()


def test_the_list_of_profiles_needs_no_reports(tmp_path: Path) -> None:
    modules = loaded("profiles", folder=tmp_path)
    assert "loadgate.runner.describe" in modules
    assert modules & (GENERATOR | REPORTS | SERVICE) == set()


def test_past_runs_are_listed_without_the_generator(tmp_path: Path) -> None:
    modules = loaded("history", folder=tmp_path)
    assert "loadgate.report.history" in modules
    assert modules & (GENERATOR | SERVICE | {"loadgate.runner.run"}) == set()
