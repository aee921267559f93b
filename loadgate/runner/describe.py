"""Describe a locustfile in a separate process, because its import patches the standard library for gevent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadgate.errors import RequestError
from loadgate.exit_codes import ExitCode
from loadgate.project import Project
from loadgate.runner.description_cache import DescriptionCache

DESCRIBER = "loadgate.generator.describe"
MARK = "loadgate-profiles: "
"""Prefix of the output line with the description, because a locustfile can print other lines."""
DEFAULT_LOCUSTFILE = "locustfile.py"
"""Expected in the current folder, as in Locust."""


class DescribeError(RequestError):
    """Raised if the locustfile or the profile cannot be run. The text has one line for each error."""


class SuiteImportError(DescribeError):
    """Raised if the locustfile cannot be imported, for example because a file that it needs does not exist yet."""


def describe(
    locustfile: str,
    profile: str | None = None,
    options: Sequence[str] = (),
    *,
    current: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `{"default": name, "profiles": [profile, …], "host": …, "needs_host": …, "rules": [rule, …]}`.

    A profile is `{name, description, load, stages, rules, run_time_s, rate_per_s, weights, problems}`.

    Without `profile`, the function returns a cached description as long as its source files are unchanged.

    - `locustfile` has the form of Locust's -f: a file, several files with commas, or a folder.
    - If `profile` is given ("" for the default one), the function also checks that it can be run with these options.
    - `load` is a text, or "" for a profile with problems. Problems of a profile do not affect other profiles.
    - `stages` and `rules` of a profile are lists of texts, empty for a profile with problems.
    - `run_time_s` is the length of the run, null for a profile with problems.
    - `rate_per_s` is the mean rate of arrivals of an open model, else null.
    - `host` is Locust's host for this run, "" if there is none. `needs_host` is true if the users need a host to start.
    - `rules` are those of a run of `profile`.
    - `current` is the current folder of the suite, if it is not that of this process, and `variables` are added to its
      environment.

    Raises:
        SuiteImportError: The locustfile cannot be imported.
        DescribeError: The locustfile declares no profiles, or `profile` or an option is wrong.
    """
    cache = DescriptionCache(locustfile, os.environ) if profile is None else None
    if cache is not None and (known := cache.find()) is not None:
        return known
    run_arguments = [] if profile is None else ["run", profile, *options]
    # Compiled files would change the suite's folder while it is read, and the description would not be cached.
    command = [sys.executable, "-B", "-m", DESCRIBER, MARK, locustfile, *run_arguments]
    began_ns = time.time_ns()
    environment = os.environ | dict(variables or {})
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=current, env=environment
    )
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            description = json.loads(line.removeprefix(MARK))
            sources = description.pop("sources")
            if cache is not None:
                cache.store(description, sources, began_ns)
            return dict(description)
    lines = done.stderr.strip().splitlines()
    if done.returncode == ExitCode.USAGE and lines:
        raise DescribeError("\n".join(line.removeprefix("loadgate: ") for line in lines))
    reason = lines[-1] if lines else f"exit code {done.returncode}"
    raise SuiteImportError(f"{locustfile}: cannot be imported: {reason}")


def suite_files(given: str | None, project: Project) -> str:
    """Return the locustfiles in the form of Locust's -f: absolute paths and URLs, separated by commas.

    Raises:
        DescribeError: There is no locustfile, or one does not exist.
    """
    declared = given or project.locustfile
    root = project.root if declared and not given else Path.cwd()
    if not declared and not (root / DEFAULT_LOCUSTFILE).is_file():
        raise DescribeError(
            f"no {DEFAULT_LOCUSTFILE} in this folder; use -f, or set locustfile in [tool.loadgate] of pyproject.toml"
        )
    parts = [part.strip() for part in (declared or DEFAULT_LOCUSTFILE).split(",") if part.strip()]
    missing = [part for part in parts if not _is_url(part) and not (root / part).exists()]
    if missing or not parts:
        raise DescribeError("\n".join(f"{part}: locustfile not found" for part in missing or [repr(declared)]))
    return ",".join(part if _is_url(part) else str((root / part).resolve()) for part in parts)


def _is_url(part: str) -> bool:
    return part.startswith(("http://", "https://"))
