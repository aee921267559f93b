"""Print a description of a locustfile for `loadgate.runner.describe`.

`python -m loadgate.generator.describe MARK LOCUSTFILE [run PROFILE [OPTION ...]]` prints one line: MARK and a JSON
document with the profiles and the files that they depend on. If the suite, the profile ("" is the default one) or a
Locust option cannot be used, it prints one line for each error and exits with code 2.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locust.argument_parser import get_parser, parse_locustfile_paths
from locust.main import merge_locustfiles_content

from loadgate.errors import SuiteError
from loadgate.exit_codes import ExitCode
from loadgate.generator.locust_patches import replace_of
from loadgate.generator.plan import needs_host, option_problem
from loadgate.generator.plugin import LoadGate
from loadgate.generator.suite import Suite, refuse, validated

NO_SOURCE = re.compile(r"^/(dev|proc|sys)/|/__pycache__/")


class Sources:
    """The imported modules, and the files and folders that were read since this object was created."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str | bytes | os.PathLike):
            self._seen.add(str(Path(os.fsdecode(arguments[0])).absolute()))

    def paths(self) -> list[str]:
        """Return the absolute paths of the files, folders and modules."""
        modules = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
        return sorted(path for path in self._seen | modules if not NO_SOURCE.search(path))


def _main(mark: str, path: str, run_arguments: Sequence[str]) -> None:
    sources = Sources()
    user_classes, *_ = merge_locustfiles_content(parse_locustfile_paths(path.split(",")))
    gate = LoadGate.attached
    if gate is None:
        refuse(f"{path}: no profiles declared; call loadgate.install(...) at the end of the file", ExitCode.USAGE)
    suite, host = gate.suite, {}
    if run_arguments:
        _, profile, *options = run_arguments
        try:
            rules = validated(suite, profile).rules
        except SuiteError as error:
            refuse(str(error), ExitCode.USAGE)
        profile = profile or suite.default_profile
        options_read = _read_options(["-f", path, "--headless", "--load-profile", profile, *options])
        running = [user for user in user_classes.values() if user.weight > 0 or user.fixed_count > 0]
        host = {"host": options_read.host or "", "needs_host": needs_host(running)}
        host |= {"rules": [str(rule) for rule in rules]}
    profiles = [_described(suite, name) for name in suite.profiles]
    print(
        mark + json.dumps({"default": suite.default_profile, "profiles": profiles, **host, "sources": sources.paths()})
    )


def _described(suite: Suite, name: str) -> dict[str, Any]:
    """Return the description of a profile."""
    profile, rules, problems = suite.profiles[name], [], []
    try:
        rules = [str(rule) for rule in validated(suite, name).rules]
    except SuiteError as error:
        problems = str(error).splitlines()
    return {
        "name": name,
        "description": profile.description,
        "load": "" if problems else profile.load_text,
        "stages": [] if problems else profile.stage_texts,
        "rules": rules,
        "run_time_s": None if problems else profile.run_time_s,
        "rate_per_s": None if problems else profile.mean_rate_per_s,
        "weights": {} if problems else dict(profile.weight_config),
        "problems": problems,
    }


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line with Locust's parser, so that errors appear before the target is started."""
    sys.argv = ["locust", *arguments]
    parser = get_parser()
    replace_of(parser, error=lambda message: refuse(message, ExitCode.USAGE))
    options: argparse.Namespace = parser.parse_args()
    if problem := option_problem(options):
        refuse(problem, ExitCode.USAGE)
    return options


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], sys.argv[3:])
