"""A new service in a temporary folder, with the environment that is installed here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference_core.app.generate.project import new_project
from tests.support import preloaded
from tests.support.stack import BIN, ROOT, clean_environment


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in which a test runs commands."""

    path: Path

    def run(self, *command: str | Path, exit_code: int = 0, within_s: float = 110) -> str:
        """Run a command of the environment, and return its output, of both kinds."""
        first, *others = map(str, command)
        env = clean_environment()
        env.pop("PYTHONPATH", None)
        done = preloaded.run([str(BIN / first), *others], cwd=self.path, env=env, timeout_s=within_s)
        said = done.stdout + done.stderr
        assert done.returncode == exit_code, said
        return said

    def refused(self, *arguments: str | Path) -> str:
        """Run `inference-core` with arguments that are wrong. Return its single line."""
        before = content_of(self.path)
        (line,) = self.run("inference-core", *arguments, exit_code=1).splitlines()
        assert content_of(self.path) == before
        return line.removeprefix("inference-core: ")


def content_of(folder: Path) -> dict[str, bytes | None]:
    """Return every file and folder below a folder, with the contents of files."""
    found: dict[str, bytes | None] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        here = Path(place).relative_to(folder)
        found |= {str(here / name): None for name in folders}
        found |= {str(here / name): Path(place, name).read_bytes() for name in files}
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a folder that is not part of a project; its name has a blank and letters of other alphabets."""
    path = tmp_path / "new sérvices 新"
    path.mkdir()
    return Folder(path)


@pytest.fixture(scope="session")
def new_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate a service, which tests copy."""
    path = tmp_path_factory.mktemp("new") / "shop"
    new_project(path, None, None, bare=False)
    return path


@pytest.fixture
def shop(folder: Folder, new_shop: Path) -> Folder:
    """Return a new service with a feature, which uses the installed environment."""
    path = folder.path / "shop"
    shutil.copytree(new_shop, path)
    (path / ".venv").symlink_to(ROOT / ".venv")
    return Folder(path)
