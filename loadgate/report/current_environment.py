"""The environment of the load generator: the machine, the versions and the suite's repository."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from loadgate.report.fingerprint import fingerprint
from loadgate.report.this_machine import machine_class, software
from loadgate.run.document.environment import EnvironmentRecord, GitRecord, MachineRecord
from loadgate.run.plan import Plan


def current_environment(folder: Path, plan: Plan) -> EnvironmentRecord:
    """Return the environment of this process. `folder` is the project's folder, for the git commit."""
    machine = machine_class()
    return EnvironmentRecord(
        git=_git_record(folder),
        machine=_machine(),
        versions=_versions(),
        machine_class=machine,
        software=software(),
        fingerprint=fingerprint(machine, plan),
    )


def _git_record(folder: Path) -> GitRecord | None:
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return GitRecord(
        commit=commit,
        branch=_git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        changed=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
    )


def _machine() -> MachineRecord:
    return MachineRecord(
        name=platform.node(),
        system=platform.platform(),
        processor=platform.machine(),
        cores=os.cpu_count(),
        memory_bytes=psutil.virtual_memory().total,
    )


def _versions() -> dict[str, str]:
    """Return the versions of the software that affects the measurement."""
    packages = {name: metadata.version(name) for name in ("locust", "gevent", "geventhttpclient")}
    return {"python": platform.python_version(), **packages}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
