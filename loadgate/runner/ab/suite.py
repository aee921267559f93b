"""The locustfiles that measure both sides: those of head."""

from __future__ import annotations

from pathlib import Path

from loadgate.project import Project
from loadgate.runner.ab.preparation import in_worktree
from loadgate.runner.describe import DEFAULT_LOCUSTFILE


def given_in_worktree(locustfile: str | None, project: Project, top: Path, tree: Path) -> str | None:
    """Return the locustfiles of the command line in the worktree `tree` of head, None for those of its settings."""
    if locustfile is None and project.locustfile:
        return None
    parts = (locustfile or DEFAULT_LOCUSTFILE).split(",")
    return ",".join(part if "://" in part else in_worktree(part.strip(), top, tree) for part in parts)
