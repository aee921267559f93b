"""A service in a package of its own, which no file of ours knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import preloaded
from tests.support.stack import ROOT, clean_environment

PROJECT = Path(__file__).parent / "depot_project"


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with the package of a service."""

    path: Path

    def env(self, **variables: str) -> dict[str, str]:
        """Return an environment without settings of the shell."""
        kept = {name: value for name, value in clean_environment().items() if not name.startswith("INFERENCE_CORE")}
        return kept | {"PYTHONPATH": str(ROOT), "ENVIRONMENT": "testing", **variables}

    def python(self, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the folder."""
        script = self.path / preloaded.SERVICE_PROGRAM
        script.write_text(program)
        return preloaded.run([sys.executable, str(script)], cwd=self.path, env=self.env(**variables))

    def report(self, program: str, **variables: str) -> Any:
        """Run a program that prints JSON as its last line. Return it."""
        done = self.python(program, **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def refused(self, program: str, **variables: str) -> str:
        """Run a program that must fail with one line. Return it."""
        done = self.python(program, **variables)
        assert done.returncode == 1, done.stdout + done.stderr
        (line,) = done.stderr.splitlines()
        return line

    def command(self, *arguments: str) -> str:
        """Return a program that runs `inference-core`."""
        return f"import sys; sys.argv[1:] = {list(arguments)!r}\nfrom inference_core.entry import main; main()"


@pytest.fixture
def depot(tmp_path: Path) -> Project:
    """Return the project of the depot."""
    path = tmp_path / "project"
    shutil.copytree(PROJECT, path, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(path)


def service_file(folder: Path, features: tuple[str, ...]) -> str:
    """Write a service with these features into a folder. Return its reference."""
    names = ", ".join(f'"{name}"' for name in features)
    (folder / "reduced.py").write_text(
        "from inference_core.core.feature import Service, load_features\n"
        f'service = Service(name="reduced", features=load_features({names}))\n'
    )
    return "reduced:service"
