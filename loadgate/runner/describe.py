"""What a locustfile declares, told by a process of its own: importing one patches the standard library for gevent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgate.errors import RequestError
from loadgate.exit_codes import ExitCode
from loadgate.project import Project
from loadgate.runner.description_cache import DescriptionCache

DESCRIBER = "loadgate.generator.describe"
MARK = "loadgate-profiles: "
"""Begins the line of the output that holds the answer: a locustfile may print lines of its own."""
DEFAULT_LOCUSTFILE = "locustfile.py"
"""Looked for in the current folder, as Locust does."""


class DescribeError(RequestError):
    """The locustfile or the profile cannot be run; the text is one line an error."""


def describe(locustfile: str, profile: str | None = None, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return `{"default": name, "profiles": [{name, description, load, problems}], "host": …, "needs_host": …}`.

    `locustfile` is what Locust's -f takes: a file, several with commas, or a folder. `load` is a text, "" where a
    profile has problems, which keep no other one from being run. With a profile ("" is the default one) it is checked
    that this profile can be run with these options for Locust; `host` is what Locust is given for it in whatever way,
    "" for nothing, and `needs_host` whether its users cannot begin without. Without a profile, an earlier answer is
    returned if nothing has changed that it was made from.

    Raises:
        DescribeError: it cannot be imported, declares nothing, or `profile` or an option cannot be used.
    """
    cache = DescriptionCache(locustfile, os.environ) if profile is None else None
    if cache is not None and (known := cache.find()) is not None:
        return known
    asked = [] if profile is None else ["run", profile, *options]
    command = [sys.executable, "-m", DESCRIBER, MARK, locustfile, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            answer = json.loads(line.removeprefix(MARK))
            sources = answer.pop("sources")
            if cache is not None:
                cache.keep(answer, sources)
            return dict(answer)
    lines = done.stderr.strip().splitlines()
    if done.returncode == ExitCode.USAGE and lines:
        raise DescribeError("\n".join(line.removeprefix("loadgate: ") for line in lines))
    raise DescribeError(f"{locustfile}: cannot be imported: {lines[-1] if lines else f'exit code {done.returncode}'}")


def suite_files(given: str | None, project: Project) -> str:
    """Return the locustfiles as Locust's -f takes them: files and folders, absolute, and URLs, with commas.

    Raises:
        DescribeError: there is none, or one does not exist.
    """
    declared = given or project.locustfile
    root = project.root if declared and not given else Path.cwd()
    if not declared and not (root / DEFAULT_LOCUSTFILE).is_file():
        raise DescribeError(
            f"no {DEFAULT_LOCUSTFILE} here: give -f, or declare locustfile in [tool.loadgate] of pyproject.toml"
        )
    parts = [part.strip() for part in (declared or DEFAULT_LOCUSTFILE).split(",") if part.strip()]
    missing = [part for part in parts if not _is_url(part) and not (root / part).exists()]
    if missing or not parts:
        raise DescribeError("\n".join(f"{part}: there is no such locustfile" for part in missing or [repr(declared)]))
    return ",".join(part if _is_url(part) else str((root / part).resolve()) for part in parts)


def _is_url(part: str) -> bool:
    return part.startswith(("http://", "https://"))
