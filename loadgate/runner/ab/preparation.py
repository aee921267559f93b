"""Make the worktree of a side ready: its environment variables, and the command `prepare`."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loadgate.errors import CommandError
from loadgate.parent_process import stop_with_parent
from loadgate.project import TargetSettings
from loadgate.runner.ab.git import without_git_variables
from loadgate.runner.target import LAST_LINES, LAST_LINES_WIDTH

POLL_S = 0.1
STOP_S = 10.0
"""Time between SIGTERM and SIGKILL for an interrupted `prepare`, and for processes that it leaves."""
_TAIL_BYTES = 64 * 1024
"""The end of the log that is read for its last lines."""


class PrepareError(CommandError):
    """Raised if `prepare` fails. The text contains its last lines."""


def side_environment(top: Path, tree: Path, project: Path, settings: TargetSettings) -> dict[str, str]:
    """Return the environment of the commands of a side, in which nothing leads to the user's working tree `top`.

    - Paths in PYTHONPATH below `top` become those of the worktree `tree`.
    - With `prepare`, the virtual environment of loadgate is left, because an installation into it would change both
      sides, and the first virtual environment among the prepared paths is active.
    """
    environment = without_git_variables(os.environ)
    if python_path := environment.get("PYTHONPATH"):
        environment["PYTHONPATH"] = os.pathsep.join(
            in_worktree(item, top, tree) for item in python_path.split(os.pathsep)
        )
    if not settings.prepare:
        return environment
    environment.pop("VIRTUAL_ENV", None)
    path = environment.get("PATH", os.defpath).split(os.pathsep)
    if sys.prefix != sys.base_prefix:
        own = Path(sys.prefix) / "bin"
        path = [folder for folder in path if Path(folder) != own]
    for prepared in reversed(settings.prepared):
        if (project / prepared / "pyvenv.cfg").is_file():
            environment["VIRTUAL_ENV"] = str(project / prepared)
            path.insert(0, str(project / prepared / "bin"))
    environment["PATH"] = os.pathsep.join(path)
    return environment


def in_worktree(path: str, top: Path, tree: Path) -> str:
    """Return the path in the worktree `tree` for one below `top`. Other paths are returned unchanged."""
    with contextlib.suppress(ValueError):
        return str(tree / Path(path).resolve().relative_to(top)) if path else path
    return path


def run_prepare(
    command: Sequence[str], project: Path, environment: Mapping[str, str], log: Path, give_up: Callable[[], bool]
) -> None:
    """Run the command in the project's folder, with its output in `log`. Processes that it leaves are stopped.

    Raises:
        PrepareError: It cannot be started, it fails, or `give_up` returned true.
    """
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=project,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=stop_with_parent(os.getpid()),  # noqa: PLW1509 - no other thread runs Python code now
            )
        except OSError as error:
            raise PrepareError(
                f"cannot start prepare: {command[0]!r}: {error.strerror or error}; "
                "correct prepare in [tool.loadgate.target] of pyproject.toml"
            ) from error
    try:
        while process.poll() is None:
            if give_up():
                raise PrepareError("interrupted while the worktree was prepared")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
    finally:
        # What it has started would run beside the measured service, also after the comparison.
        _stop(process)
    if process.returncode:
        tail = "".join(f"\n    {line.rstrip()[:LAST_LINES_WIDTH]}" for line in _last_lines(log))
        raise PrepareError(
            f"prepare ended with exit code {process.returncode} (command: {shlex.join(command)})"
            f"{'; its last lines:' if tail else ''}{tail}"
        )


def _last_lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()[-LAST_LINES:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process group with SIGTERM, and after STOP_S with SIGKILL. Members can outlive the command."""
    deadline = time.monotonic() + STOP_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(POLL_S)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
