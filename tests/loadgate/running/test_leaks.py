"""Test the verdict of whole runs against a target that leaks memory, and one that does not."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest

from loadgate.analysis.growth.kind import Cause, GrowthKind
from loadgate.analysis.growth.text import kind_clause
from tests.loadgate.running.support import FAIL, FULL, Started, document, loadgate_command, rule_of
from tests.support.stack import ROOT

RUN_S = 90
"""A growth needs 80 s."""

SUITE = """
from locust import constant, task

import loadgate
from loadgate import LoadProfile
from loadgate.users import BaseUser


class Visitor(BaseUser):
    group = "visitors"
    wait_time = constant(0.5)

    @task
    def visit(self) -> None:
        self.client.get("/")


PROFILE = LoadProfile(name="leaks", users=2, spawn_rate=10, rules=["api: memory growth < 40MB/h"])
loadgate.install(profiles={"leaks": PROFILE}, user_classes=[Visitor])
"""

SETTINGS = """
[tool.loadgate.target]
command = {command}
ready_line = 'http://\\S+'
[tool.loadgate.target.env]
PYTHONPATH = {root}
[[tool.loadgate.resource]]
name = "api"
kind = "process"
[[tool.loadgate.resource]]
name = "api"
kind = "prometheus"
quantity = "python_blocks"
used = "python_allocated_blocks"
[[tool.loadgate.resource]]
name = "api"
kind = "prometheus"
quantity = "heap_in_use"
used = "heap_in_use_bytes"
unit = "bytes"
"""


def run(folder: Path, mode: str) -> Started:
    """Start a run against the stub, which leaks 10 MB a minute."""
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.calibrate.stubs.leaky", mode, "--speed", "10"]
    (folder / "pyproject.toml").write_text(SETTINGS.format(command=json.dumps(command), root=json.dumps(str(ROOT))))
    (folder / "locustfile.py").write_text(SUITE)
    return Started(loadgate_command("run", "leaks", "-t", f"{RUN_S}s"), folder)


@FULL
@pytest.mark.timeout(3 * RUN_S)
def test_a_leak_fails_with_its_kind_and_a_target_without_one_does_not(tmp_path: Path) -> None:
    modes = {"python-leak": Cause.PYTHON, "native-leak": Cause.NATIVE, "none": None}
    with contextlib.ExitStack() as stack:
        runs = {mode: stack.enter_context(run(tmp_path / mode, mode)) for mode in modes}
        codes = {mode: started.wait(2 * RUN_S) for mode, started in runs.items()}
    for mode, cause in modes.items():
        assert (codes[mode] == FAIL) == (cause is not None), runs[mode].output
        rule = rule_of(document(tmp_path / mode), "api")
        assert (rule["outcome"] == "fail") == (cause is not None), rule
        if cause is not None:
            assert "api memory grew by" in rule["reason"]
            assert kind_clause(GrowthKind(cause)) in rule["reason"]
