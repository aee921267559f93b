"""Test the guide for other services: its suite and its managed target, as printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from loadgate.project import CheckSettings, Project, TargetSettings
from loadgate.resource_settings import ProcessResource, PrometheusResource
from tests.loadgate.running.support import ERROR, USAGE, document, finish, loadgate_command

PAGE = (Path(__file__).parents[3] / "docs" / "loadgate.md").read_text()


def block(language: str, first: str = "") -> str:
    return next(text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if first in text)


def test_the_documented_suite_passes_against_the_documented_target(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(block("python"))
    (tmp_path / "index.html").write_text("hello")
    settings = block("toml").replace('"python"', f'"{sys.executable}"')
    (tmp_path / "pyproject.toml").write_text(settings)
    done = finish(loadgate_command("run", "smoke", "-t", "3s", "-r", "10"), tmp_path)
    assert (tmp_path / "reports/performance/smoke_load_report.html").is_file(), done.stdout + done.stderr
    run = document(tmp_path)
    # It is too short for its limits, and its machine may be busy; the suite and the target work.
    assert done.returncode == run["verdict"]["exit_code"] != ERROR
    assert (run["totals"]["overall"]["failures"], run["exceptions"]) == (0, [])
    assert run["totals"]["groups"]["pages"]["requests"] > 0
    assert [rule["rule"] for rule in run["verdict"]["rules"]] == ["pages: p95 < 200ms", "overall: failures < 1%"]
    assert run["target"] is not None


def test_without_a_suite_one_line_describes_how_to_name_one(tmp_path: Path) -> None:
    done = finish(loadgate_command("profiles"), tmp_path)
    assert done.returncode == USAGE
    assert done.stderr.splitlines() == [
        "loadgate: no locustfile.py in this folder; use -f, or set locustfile in [tool.loadgate] of pyproject.toml"
    ]


@pytest.mark.parametrize("table", [Project, TargetSettings, CheckSettings, ProcessResource, PrometheusResource])
def test_every_setting_is_documented(table: type[BaseModel]) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert set(table.model_fields) - {"root", "target", "doctor", "resource"} <= listed
