"""The derived service: the commands of its README, its types, and its migrations."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.support.stack import BIN, ROOT, clean_environment, running_stack

pytestmark = pytest.mark.process

EXAMPLE = ROOT / "examples" / "shop"
COMMANDS = [
    shlex.split(line)
    for line in re.findall(r"^\.\./\.\./\.venv/bin/(.+)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "shop"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    return copy


def run(folder: Path, program: str, *arguments: str) -> str:
    done = subprocess.run(
        [BIN / program, *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.full
def test_the_commands_of_the_readme_work(folder: Path) -> None:
    *ending, up = COMMANDS
    said = {command[-1]: run(folder, *command) for command in ending}
    assert "products_0001" in said["current"]
    assert re.search(r"^\d+ passed", said["-q"], re.MULTILINE)
    assert up == ["inference-core", "up"]


def test_the_models_are_those_of_the_migrations(folder: Path) -> None:
    run(folder, "inference-core", "migrate")
    assert run(folder, "inference-core", "revision", "-m", "change nothing").strip() == "nothing has changed"


@pytest.mark.full
def test_the_types_are_right(folder: Path) -> None:
    run(folder, "mypy", "--cache-dir", str(folder.parent / "mypy"))


@pytest.mark.full
def test_the_stack_runs_the_shop(folder: Path) -> None:
    with running_stack(folder, "--port", "0", "--ephemeral") as stack:
        answer = httpx2.get(f"{stack.url}/api/v1/products", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"items": [], "total": 0})
