"""The entry point of the `loadgate` command. Ctrl-C during the imports stops it without a traceback."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

# An installation of the service alone includes the command but not these packages.
GENERATOR_PACKAGES = ("locust", "psutil")


def main() -> None:
    """Load the command line and run it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if missing := [name for name in GENERATOR_PACKAGES if find_spec(name) is None]:
        sys.exit(f"loadgate: not installed here: {', '.join(missing)}; install with: pip install {' '.join(missing)}")
    from loadgate.cli.command_line import app  # noqa: PLC0415 - this import takes most of the start-up time

    signal.signal(signal.SIGINT, signal.default_int_handler)
    app()
