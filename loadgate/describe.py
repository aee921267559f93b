"""What a locustfile declares, told by a process of its own: importing one patches the standard library for gevent.

As a program, `python -m loadgate.describe LOCUSTFILE [run PROFILE [OPTION ...]]` prints the profiles as JSON and exits
2 with one line an error when the suite, the profile ("" is the default one) or an option for Locust cannot be used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgate.exit_codes import ExitCode

_MARK = "loadgate-profiles: "


class DescribeError(Exception):
    """The locustfile or the profile cannot be run; the text is one line an error."""


def describe(locustfile: Path, profile: str | None = None, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return `{"default": name, "profiles": [{name, description, load, problems}]}` of a locustfile.

    `load` is a text, "" where a profile has problems, which keep no other one from being run. With a profile ("" is the
    default one) it is checked that this profile can be run with these options for Locust.

    Raises:
        DescribeError: it cannot be imported, declares nothing, or `profile` or an option cannot be used.
    """
    asked = [] if profile is None else ["run", profile, *options]
    command = [sys.executable, "-m", "loadgate.describe", str(locustfile), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return dict(json.loads(line.removeprefix(_MARK)))
    lines = done.stderr.strip().splitlines()
    if done.returncode == ExitCode.USAGE and lines:
        raise DescribeError("\n".join(line.removeprefix("loadgate: ") for line in lines))
    raise DescribeError(f"{locustfile}: cannot be imported: {lines[-1] if lines else f'exit code {done.returncode}'}")


def _main(path: str, asked: Sequence[str]) -> None:
    from locust.util.load_locustfile import load_locustfile  # noqa: PLC0415 - see the module's docstring

    from loadgate.locust_plugin import LoadGate  # noqa: PLC0415
    from loadgate.suite import SuiteError, refuse, validated  # noqa: PLC0415

    load_locustfile(path)
    gate = LoadGate.attached
    if gate is None:
        refuse(f"{path}: declares no profiles; call loadgate.install(...) at its end", ExitCode.USAGE)
    suite = gate.suite
    if asked:
        _, profile, *options = asked
        try:
            validated(suite, profile)
        except SuiteError as error:
            refuse(str(error), ExitCode.USAGE)
        _check_options(["-f", path, "--headless", "--load-profile", profile or suite.default_profile, *options])
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
    print(_MARK + json.dumps({"default": suite.default_profile, "profiles": profiles}))


def _check_options(arguments: Sequence[str]) -> None:
    """Let Locust read its command line, as it will when the target has been started for it."""
    from locust.argument_parser import get_parser  # noqa: PLC0415 - see the module's docstring

    from loadgate.suite import refuse  # noqa: PLC0415

    sys.argv = ["locust", *arguments]
    parser = get_parser()
    parser.error = lambda message: refuse(message, ExitCode.USAGE)  # type: ignore[method-assign]  # one line, no usage
    parser.parse_args()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
