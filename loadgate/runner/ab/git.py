"""Run git without hooks and without the repository that a calling git has set in the environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from loadgate.errors import CommandError
from loadgate.units import given

POLL_S = 0.1
TIMEOUT_S = 60.0
FILES_TIMEOUT_S = 1800.0
"""The timeout of commands that read or write all files. Filters of large files can take long."""
MAX_ERRORS = 3
"""Errors that a message has. The last ones include the reason why git has stopped."""

_OPTIONS = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.fsmonitor=false"),  # a program of the user, which would run in each worktree
    *("-c", "core.splitIndex=false"),  # part of a temporary index would stay in the repository
)
_OWN_VARIABLES = frozenset(
    {
        # Set while git runs a hook. In a worktree, they would name the wrong repository.
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"),
        # They change the meaning of the paths that are given to git.
        *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
    }
)

_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "loadgate"), ("EMAIL", "loadgate@localhost"))
}


class GitError(CommandError):
    """Raised if git is missing or fails. The text is one line."""


class GitTimeoutError(GitError):
    """Raised if git takes too long."""


def without_git_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git finds its repository by the current folder."""
    return {name: value for name, value in environment.items() if name not in _OWN_VARIABLES}


def git(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    give_up: Callable[[], bool] = lambda: False,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run git in a folder, and return its output. `give_up` is for commands that can take long, such as a checkout.

    Raises:
        GitTimeoutError: It takes longer than `timeout_s`.
        GitError: There is no git, it fails, or `give_up` returned true. The text contains its last message.
    """
    variables = without_git_variables(os.environ) | _IDENTITY | {"LC_ALL": "C"} | dict(environment or {})
    try:
        # In a session of its own, it does not get Ctrl-C from the terminal.
        process = subprocess.Popen(
            ["git", *_OPTIONS, *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"a comparison of commits needs git: {error.strerror or error}") from error
    output, messages = _outputs(process, arguments, give_up, timeout_s)
    if process.returncode:
        raise GitError(f"{_shown(arguments)}: {_said(messages) or f'exit code {process.returncode}'}")
    return output.rstrip("\n")


def git_or_none(folder: Path, *arguments: str) -> str | None:
    """Run git in a folder, and return its output. `None` if it fails."""
    try:
        return git(folder, *arguments)
    except GitError:
        return None


def _outputs(
    process: subprocess.Popen[str], arguments: tuple[str, ...], give_up: Callable[[], bool], timeout_s: float
) -> tuple[str, str]:
    """Wait for git, and return what it wrote to its standard output and error."""
    deadline = time.monotonic() + timeout_s
    with process:
        try:
            while not give_up():
                if time.monotonic() >= deadline:
                    raise GitTimeoutError(
                        f"{_shown(arguments)}: not finished after {given(timeout_s, 's')}, so it was stopped"
                    )
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.communicate(timeout=POLL_S)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    raise GitError(f"{_shown(arguments)}: interrupted")


def _shown(arguments: tuple[str, ...]) -> str:
    """Return the command without its options, as in `git worktree`."""
    options = iter(arguments)
    return f"git {next((item for item in options if not (item == '-c' and next(options))), '')}"


def _said(messages: str) -> str:
    """Return the errors in the messages of git as one line; without errors, its last message."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    errors = [line.partition(": ")[2] for line in lines if line.startswith(("error: ", "fatal: "))]
    return "; ".join(errors[-MAX_ERRORS:] or lines[-1:])
