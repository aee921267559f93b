"""The packages are typed for code outside of them: `py.typed` is part of both, and of what is distributed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = """\
from inference_core.core.db.base import Base, UtcDateTime
from inference_core.core.feature import Feature, Service
from inference_core.core.settings import Settings
from inference_core.core.state import AppState, StateDep
from loadgate import HealthLimits, LoadProfile, Stage, install

feature = Feature(name="notes")
service = Service(name="shop", features=(feature,))
reveal_type(service.queues)
reveal_type(feature.requires)


def of(state: AppState) -> None:
    reveal_type(state.settings)
    reveal_type(state.of(int))


reveal_type(LoadProfile)
reveal_type(install)
Feature(name=1)
"""
REVEALED = [
    r"tuple\[(builtins\.)?str, \.\.\.\]",
    r"tuple\[(builtins\.)?str, \.\.\.\]",
    r"inference_core\.core\.settings\.Settings",
    r"(builtins\.)?int",
    r".*loadgate\.shape\.profile\.LoadProfile",
    r"def \(.*\) -> .*",
]


@pytest.mark.full
def test_code_outside_of_the_packages_sees_their_types(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(MODULE)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "outside.py"]
    lines = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout.splitlines()
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in lines if "Revealed type" in line]
    assert len(revealed) == len(REVEALED), "\n".join(lines)
    for shown, pattern in zip(revealed, REVEALED, strict=True):
        assert re.fullmatch(pattern, shown), shown
        assert "Any" not in shown
    errors = [line for line in lines if ": error:" in line]
    assert [line.partition("  [")[2] for line in errors] == ["arg-type]"], "\n".join(lines)


@pytest.mark.parametrize("package", ["inference_core", "loadgate"])
def test_the_marker_is_distributed(package: str) -> None:
    """A wheel contains the files of the packages that git knows."""
    command = ["git", "ls-files", "--error-unmatch", f"{package}/py.typed"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
