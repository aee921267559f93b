"""Find values of options and of gevent's environment variables that prevent the start of Locust."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
from locust.argument_parser import LocustArgumentParser

from loadgate.environment import named, quoted

FILES = {
    "logfile": ("--logfile", "LOCUST_LOGFILE", ""),
    "csv_prefix": ("--csv", "LOCUST_CSV", "_stats.csv"),
    "html_file": ("--html", "LOCUST_HTML", ""),
    "json_file": ("--json-file", "", ""),
}
"""Locust's options for files that it writes, the variable of each, and what Locust appends to the value."""


def options_with(parser: LocustArgumentParser, **defaults: Any) -> Namespace:
    """Return the options of the command line, with other defaults, which show that an option was not given."""
    usual = {name: parser.get_default(name) for name in defaults}
    parser.set_defaults(**defaults)
    try:
        options, _ = parser.parse_known_args()
    finally:
        parser.set_defaults(**usual)
    return Namespace(**vars(options))


def start_problems(options: Namespace) -> list[str]:
    """Return one line for each value that prevents the start of Locust.

    These are paths of files that cannot be written, wrong values of the environment variables that gevent reads when
    the first greenlet starts, and a master that starts the load by itself without knowing how many workers there will
    be.
    """
    problems = []
    if options.master and (options.headless or options.autostart) and options.expect_workers is None:
        problems.append(
            "--master: a master without its web interface needs the number of workers to wait for; add "
            "--expect-workers, such as --expect-workers 2"
        )
    for name, (option, variable, suffix) in FILES.items():
        if (path := getattr(options, name, None)) and (reason := _unwritable(Path(f"{path}{suffix}"))):
            problems.append(named(f"{option}: {quoted(path)} cannot be written: {reason}", path, variable))
    for setting in gevent.config.settings.values():
        try:
            if os.environ.get(setting.environment_key):
                setting.get()
        except (ValueError, TypeError, ImportError) as error:
            # An ImportError of gevent contains a traceback before its reason.
            problems.append(f"{setting.environment_key}: {str(error).strip().splitlines()[-1]}")
    return problems


def _unwritable(path: Path) -> str | None:
    """Return why a file cannot be written. `None` if it can. Its folder is created, as in Locust."""
    try:
        existed = path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        return error.strerror or str(error)
    if not existed:
        path.unlink()
    return None
