"""Run git without hooks and without the repository that a calling git has set in the environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from loadgate.errors import CommandError

_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
_OWN_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
"""Set while git runs a hook. In a worktree, they would name the wrong repository."""

_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "loadgate"), ("EMAIL", "loadgate@localhost"))
}


class GitError(CommandError):
    """Raised if git is missing or fails. The text is one line."""


def without_git_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git finds its repository by the current folder."""
    return {name: value for name, value in environment.items() if name not in _OWN_VARIABLES}


def git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git in a folder, and return its output.

    Raises:
        GitError: There is no git, or it fails. The text contains its last message.
    """
    command = ["git", *_NO_HOOKS, *arguments]
    variables = without_git_variables(os.environ) | _IDENTITY | {"LC_ALL": "C"} | dict(environment or {})
    try:
        # In a session of its own, it does not get Ctrl-C from the terminal.
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"a comparison of commits needs git: {error.strerror or error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise GitError(f"git {arguments[0]}: {said[-1].removeprefix('fatal: ')}")
    return done.stdout.rstrip("\n")


def git_or_none(folder: Path, *arguments: str) -> str | None:
    """Run git in a folder, and return its output. `None` if it fails."""
    try:
        return git(folder, *arguments)
    except GitError:
        return None
