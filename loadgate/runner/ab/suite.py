"""The suite that measures both sides: that of head, or of this project for two deployments. And how it is started."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgate.project import Project
from loadgate.runner.ab.preparation import in_worktree
from loadgate.runner.ab.request import AbRequest
from loadgate.runner.ab.temporary import temporary_folder
from loadgate.runner.describe import DEFAULT_LOCUSTFILE, describe, suite_files

_ANY_RATE = "1/s"
"""Makes a profile an open model, for the check that it can be one."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite and the profile of a comparison.

    `current` is the folder of its project, None for the current one. `variables` are those of `frozen_loadgate`.
    `rate_per_s` is the mean rate of an open profile.
    """

    locustfile: str
    current: Path | None
    variables: Mapping[str, str]
    profile: str
    rate_per_s: float | None


@contextlib.contextmanager
def frozen_loadgate() -> Iterator[dict[str, str]]:
    """Give the variables with which Python imports a copy of loadgate as it is now.

    Each segment starts Locust. Without a copy, an installation in development mode can change between segments, and a
    worktree that contains another version of loadgate would be imported.
    """
    package = Path(__file__).parents[2]
    with temporary_folder() as folder:
        shutil.copytree(package, folder / package.name)
        # The current folder would come first for `python -m`.
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        yield {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def suite_of(request: AbRequest, project: Project, variables: Mapping[str, str], current: Path | None = None) -> Suite:
    """Return the suite of a project.

    Raises:
        DescribeError: There is no suite or no such profile, or the profile cannot be an open model.
    """
    locustfile = suite_files(request.locustfile, project)
    options = ["--rate", request.rate or _ANY_RATE]
    described = describe(locustfile, request.profile, options, current=current, variables=variables)
    name = request.profile or described["default"]
    (profile,) = (item for item in described["profiles"] if item["name"] == name)
    return Suite(locustfile, current, variables, name, profile["rate_per_s"])


def given_in_worktree(locustfile: str | None, project: Project, top: Path, tree: Path) -> str | None:
    """Return the locustfiles of the command line in the worktree `tree` of head, None for those of its settings."""
    if locustfile is None and project.locustfile:
        return None
    parts = (locustfile or DEFAULT_LOCUSTFILE).split(",")
    return ",".join(part if "://" in part else in_worktree(part.strip(), top, tree) for part in parts)
