"""Small git repositories for tests."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil

IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "tests"), ("EMAIL", "tests@example.com"))
}


def git(folder: Path, *arguments: str) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | IDENTITY
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, subject: str = "Change", **files: str) -> str:
    """Write files, commit everything, and return the commit. In names, `__` is a slash and `_` a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path) -> Path:
    """Create a repository with one commit on `main`."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    commit(folder, "First", a_txt="a")
    return folder


def state(folder: Path) -> tuple[str, ...]:
    """Return everything of a repository that a comparison must not change."""
    return (
        git(folder, "status", "--porcelain", "--ignored"),
        git(folder, "for-each-ref"),
        git(folder, "rev-parse", "HEAD"),
        git(folder, "ls-files", "--stage"),
        git(folder, "stash", "list"),
        git(folder, "worktree", "list"),
        git(folder, "reflog", "--all"),
    )


def ends(pid: int) -> bool:
    """Return whether a process is gone, or a zombie that nobody waits for, within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
