"""Test the workflows and actions of GitHub: pinned actions, least permissions, and no outside text in commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
WRITES = {
    "pages.yml": {"id-token": "write", "pages": "write"},
    "performance-comment.yml": {"pull-requests": "write"},
}
"""All permissions to write, by workflow."""


def read(path: Path) -> dict[str, Any]:
    """The content of a workflow or an action. YAML reads the key `on` as True."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each step."""
    content = read(path)
    for part in [content["runs"]] if "runs" in content else content["jobs"].values():
        yield from part["steps"]


def workflow(name: str) -> dict[str, Any]:
    """The content of a workflow."""
    return read(GITHUB / "workflows" / name)


def test_there_are_workflows_and_actions() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "performance.yml", "performance-comment.yml"}
    assert {path.parent.name for path in ACTIONS} == {"performance-comparison", "performance-comment"}


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}-{path.name}")
def test_actions_are_pinned_and_expressions_are_not_part_of_commands(path: Path) -> None:
    for step in steps(path):
        uses, run = step.get("uses"), step.get("run")
        assert (uses is None) != (run is None)
        if uses is not None and uses.startswith("./"):
            assert (ROOT / uses / "action.yml").is_file()
        elif uses is not None:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", uses)
        else:
            assert "${{" not in run


def test_an_action_has_one_version_everywhere_with_its_tag() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (*WORKFLOWS, *ACTIONS))
    used = set(re.findall(r"uses: (actions/[\w-]+)@(\S+)(.*)", text))
    assert len(used) == len({name for name, *_ in used}) >= 3
    assert all(re.fullmatch(r" # v\d+\.\d+\.\d+", tag) for *_, tag in used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_only_the_comment_and_the_site_may_write(path: Path) -> None:
    content = read(path)
    assert content["permissions"] in ({}, {"contents": "read"})
    granted = [content["permissions"], *(job.get("permissions", {}) for job in content["jobs"].values())]
    writes = {name: level for part in granted for name, level in part.items() if level != "read"}
    assert writes == WRITES.get(path.name, {})
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 90


def test_the_site_is_published_by_a_job_that_runs_no_code_of_the_repository() -> None:
    content = workflow("pages.yml")
    assert content["on"] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    assert "permissions" not in content["jobs"]["build"]
    (step,) = content["jobs"]["publish"]["steps"]
    assert step["uses"].startswith("actions/deploy-pages@")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_workflow_runs_code_of_a_pull_request_with_secrets(path: Path) -> None:
    triggers = read(path)["on"]
    assert "pull_request_target" not in triggers
    assert "secrets." not in path.read_text(encoding="utf-8")
    if "workflow_run" in triggers:
        assert set(triggers) == {"workflow_run"}
        assert [step.get("with", {}).get("ref") for step in steps(path)] == [None, None]


def test_the_comment_follows_the_workflow_that_compares() -> None:
    comparing, commenting = workflow("performance.yml"), workflow("performance-comment.yml")
    assert commenting["on"]["workflow_run"] == {"workflows": [comparing["name"]], "types": ["completed"]}
    job = comparing["jobs"]["comparison"]
    assert "'performance')" in job["if"]
    assert job["steps"][-1]["uses"] == "./.github/actions/performance-comparison"
    checkout = job["steps"][0]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False}


def test_the_artifact_of_the_summary_has_one_name() -> None:
    comparing = read(GITHUB / "actions" / "performance-comparison" / "action.yml")["runs"]["steps"]
    names = [step["with"]["name"] for step in comparing if "with" in step]
    posting = (GITHUB / "actions" / "performance-comment" / "post.py").read_text(encoding="utf-8")
    assert f'ARTIFACT = "{names[0]}"' in posting
    assert names == ["performance-comparison", "performance-comparison-report"]


@pytest.mark.parametrize(
    ("code", "allowed", "expected"),
    [(0, "false", 0), (99, "false", 99), (98, "false", 98), (2, "true", 2), (99, "true", 99), (98, "true", 0)],
)
def test_an_inconclusive_comparison_can_be_allowed(tmp_path: Path, code: int, allowed: str, expected: int) -> None:
    command = tmp_path / "loadgate"
    command.write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    command.chmod(0o755)
    (step,) = (step for step in steps(GITHUB / "actions" / "performance-comparison" / "action.yml") if "run" in step)
    inputs = {"ALLOW_INCONCLUSIVE": allowed, "BASE": "HEAD^1", "PAIRS": "10", "PROFILE": "my profile", "RATE": ""}
    environment = {"PATH": "/usr/bin:/bin", "LOADGATE": str(command), **inputs}
    assert step["env"].keys() == environment.keys() - {"PATH"}
    # As GitHub starts a step with `shell: bash`.
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stderr
    options, *warnings = done.stdout.splitlines()
    assert options == "ab --pairs 10 --profile my profile -- HEAD^1"
    assert [line.startswith("::warning ") for line in warnings] == ([True] if (code, expected) == (98, 0) else [])
