"""The image of load runs, as its Dockerfile describes it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.support.stack import ROOT

DOCKERFILE = ROOT / "deploy" / "load" / "Dockerfile"
IMAGE_FOLDER = "/suite"
COPIED = {"pyproject.toml", "inference_core", "loadgate", "tests"}
"""What the folder of the project contains in the image, without the environment of Python."""


def dockerfile() -> str:
    return DOCKERFILE.read_text()


def copies(text: str | None = None) -> set[tuple[str, str]]:
    """Return what is copied from the repository: sources and targets."""
    lines = re.findall(r"^COPY ((?!--).+)$", dockerfile() if text is None else text, re.MULTILINE)
    return {(source, target) for line in lines for *sources, target in [line.split()] for source in sources}


def image_files(folder: Path) -> Path:
    """Create the folder of the project as it is in the image, without the environment of Python."""
    folder.mkdir()
    last_stage = dockerfile().rpartition("\nFROM ")[2]
    for source, target in copies(last_stage):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / target)
    return folder


def image_environment(folder: Path, place: Path) -> dict[str, str]:
    """Return variables with which Python imports from the folder of the image, and nothing from the repository.

    The tests run in the environment of the repository, which the image does not contain.
    """
    place.mkdir()
    code = f"import sys\nsys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]\n"
    (place / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": f"{place}{os.pathsep}{folder}"}
