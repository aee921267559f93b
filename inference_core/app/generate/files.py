"""Copy the reference into folders next to their targets, tidy the copies, and put all of them in place, or none."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from inference_core.app.generate.errors import GenerateError

REFERENCE_FOLDER = Path(__file__).parent / "reference"
# What tools leave in the folder of the reference.
LEFT_OUT = {
    "__pycache__",
    ".env",
    ".local",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "reports",
    "uv.lock",
}


class Staging:
    """Files that are written under temporary names next to their targets, and renamed together.

    If the block is left without `commit`, by an error or Ctrl-C, everything is removed.
    """

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._staged: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        """Return the staging."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything that was not committed."""
        self._undo.close()

    def copy(self, source: Path, target: Path, rename: Callable[[str], str]) -> Path:
        """Copy a file or folder of the reference. `rename` changes the names and the contents. Return the copy."""
        staged = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
        self._undo.callback(_remove, staged)
        for path in files_of(source):
            copy = staged / rename(str(path.relative_to(source))) if source.is_dir() else staged
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(rename(path.read_text(encoding="utf-8")).encode())
        self._staged[target] = staged
        return staged

    def put(self) -> bool:
        """Rename all copies to their targets and format them there. Return whether ruff is installed.

        ruff finds out by the files in place which packages belong to the project.

        Raises:
            GenerateError: ruff fails.
        """
        for target, staged in self._staged.items():
            staged.rename(target)
            self._undo.callback(_remove, target)
        if importlib.util.find_spec("ruff") is None:
            return False
        for command in (["check", "--select", "I", "--fix"], ["format"]):
            for target in self._staged:
                run_tool([sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache", str(target)], target.parent)
        return True

    def commit(self, service_file: Path | None = None, content: bytes = b"") -> None:
        """Replace the service file, if one is given. Afterwards, everything remains."""
        if service_file is not None:
            new = service_file.with_name(f".{secrets.token_hex(4)}-{service_file.name}")
            self._undo.callback(_remove, new)
            new.write_bytes(content)
            shutil.copymode(service_file, new)
            new.replace(service_file)
        self._undo.pop_all()


def files_of(source: Path) -> Iterator[Path]:
    """Return the files of the reference below a folder, or the file itself."""
    if source.is_file():
        yield source
        return
    for path in sorted(source.iterdir()):
        if path.name not in LEFT_OUT:
            yield from files_of(path)


def run_tool(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output.

    Raises:
        GenerateError: It fails. The text contains its last line.
    """
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise GenerateError(f"{' '.join(command[1:4])}: {said[-1]}")
    return done.stdout


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
