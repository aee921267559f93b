"""What a locustfile declares, told by a process of its own: importing one patches the standard library for gevent.

As a program, `python -m loadgate.describe LOCUSTFILE [run PROFILE [OPTION ...]]` prints the profiles as JSON and exits
2 with one line an error when the suite, the profile ("" is the default one) or an option for Locust cannot be used.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from loadgate.exit_codes import ExitCode

_MARK = "loadgate-profiles: "


class DescribeError(Exception):
    """The locustfile or the profile cannot be run; the text is one line an error."""


def describe(locustfile: str, profile: str | None = None, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return `{"default": name, "profiles": [{name, description, load, problems}], "host": …, "needs_host": …}`.

    `locustfile` is what Locust's -f takes: a file, several with commas, or a folder. `load` is a text, "" where a
    profile has problems, which keep no other one from being run. With a profile ("" is the default one) it is checked
    that this profile can be run with these options for Locust; `host` is what Locust is given for it in whatever way,
    "" for nothing, and `needs_host` whether its users cannot begin without.

    Raises:
        DescribeError: it cannot be imported, declares nothing, or `profile` or an option cannot be used.
    """
    asked = [] if profile is None else ["run", profile, *options]
    command = [sys.executable, "-m", "loadgate.describe", locustfile, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return dict(json.loads(line.removeprefix(_MARK)))
    lines = done.stderr.strip().splitlines()
    if done.returncode == ExitCode.USAGE and lines:
        raise DescribeError("\n".join(line.removeprefix("loadgate: ") for line in lines))
    raise DescribeError(f"{locustfile}: cannot be imported: {lines[-1] if lines else f'exit code {done.returncode}'}")


def _main(path: str, asked: Sequence[str]) -> None:
    from locust.argument_parser import parse_locustfile_paths  # noqa: PLC0415 - see the module's docstring
    from locust.main import merge_locustfiles_content  # noqa: PLC0415

    from loadgate.locust_plugin import LoadGate  # noqa: PLC0415
    from loadgate.plan import needs_host  # noqa: PLC0415
    from loadgate.suite import SuiteError, refuse, validated  # noqa: PLC0415

    user_classes, *_ = merge_locustfiles_content(parse_locustfile_paths(path.split(",")))
    gate = LoadGate.attached
    if gate is None:
        refuse(f"{path}: declares no profiles; call loadgate.install(...) at its end", ExitCode.USAGE)
    suite, host = gate.suite, {}
    if asked:
        _, profile, *options = asked
        try:
            validated(suite, profile)
        except SuiteError as error:
            refuse(str(error), ExitCode.USAGE)
        profile = profile or suite.default_profile
        options_read = _read_options(["-f", path, "--headless", "--load-profile", profile, *options])
        running = [user for user in user_classes.values() if user.weight > 0 or user.fixed_count > 0]
        host = {"host": options_read.host or "", "needs_host": needs_host(running)}
    classes = [user.__name__ for user in suite.user_classes]
    profiles = [
        {
            "name": name,
            "description": item.description,
            "load": "" if (problems := item.problems(classes)) else item.load_text,
            "problems": problems,
        }
        for name, item in suite.profiles.items()
    ]
    print(_MARK + json.dumps({"default": suite.default_profile, "profiles": profiles, **host}))


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Let Locust read its command line, as it will when the target has been started for it."""
    from locust.argument_parser import get_parser  # noqa: PLC0415 - see the module's docstring

    from loadgate.locust_options import option_problem  # noqa: PLC0415
    from loadgate.suite import refuse  # noqa: PLC0415

    sys.argv = ["locust", *arguments]
    parser = get_parser()
    parser.error = lambda message: refuse(message, ExitCode.USAGE)  # type: ignore[method-assign]  # one line, no usage
    options: argparse.Namespace = parser.parse_args()
    if problem := option_problem(options):
        refuse(problem, ExitCode.USAGE)
    return options


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
