"""The suite of a command that starts Locust several times, and how it is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgate.project import Project
from loadgate.report.capacity.stored import load_hash
from loadgate.runner.describe import describe, suite_files
from loadgate.runner.temporary import temporary_folder
from loadgate.units import compact_duration

_ANY_RATE = "1/s"
"""Makes a profile an open model, for the check that it can be one."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite and the profile that is measured.

    `current` is the folder of its project, None for the current one. `variables` are those of `frozen_loadgate`.
    `rate_per_s` is the mean rate of an open profile. `rules` are those of its runs.
    `load_hash` is that of the profile at any rate.
    """

    locustfile: str
    current: Path | None
    variables: Mapping[str, str]
    profile: str
    rate_per_s: float | None
    rules: tuple[str, ...] = ()
    load_hash: str = ""

    def command(self, url: str, length_s: float, options: Iterable[str]) -> list[str]:
        """Return the command of Locust for a run of this length."""
        command = [sys.executable, "-m", "loadgate.generator.launch", "-f", self.locustfile, "--headless"]
        command += ["--only-summary", "--loglevel", "WARNING", "--load-profile", self.profile, "--host", url]
        return [*command, "-t", compact_duration(length_s), *options]


@contextlib.contextmanager
def frozen_loadgate() -> Iterator[dict[str, str]]:
    """Give the variables with which Python imports a copy of loadgate as it is now.

    Each segment or trial starts Locust. Without a copy, an installation in development mode can change in between, and
    a worktree that contains another version of loadgate would be imported.
    """
    package = Path(__file__).parents[1]
    with temporary_folder() as folder:
        shutil.copytree(package, folder / package.name)
        # The current folder would come first for `python -m`.
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        yield {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def suite_of(
    locustfile: str | None,
    profile: str,
    rate: str | None,
    *,
    project: Project,
    variables: Mapping[str, str],
    current: Path | None = None,
) -> Suite:
    """Return the suite of a project, with its default profile if `profile` is empty.

    Raises:
        DescribeError: There is no suite or no such profile, or the profile cannot be an open model.
    """
    files = suite_files(locustfile, project)
    described = describe(files, profile, ["--rate", rate or _ANY_RATE], current=current, variables=variables)
    name = profile or described["default"]
    (found,) = (item for item in described["profiles"] if item["name"] == name)
    rules, hash_ = tuple(described["rules"]), load_hash(name, found["weights"])
    return Suite(files, current, variables, name, found["rate_per_s"], rules, hash_)
