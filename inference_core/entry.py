"""Where the `inference-core` command begins: a Ctrl-C while it is still being loaded ends it without a traceback."""

from __future__ import annotations

import signal

from inference_core.standard_streams import open_closed_streams


def main() -> None:
    """Load the command line and run it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    open_closed_streams()
    from inference_core.cli import app  # noqa: PLC0415 - loading it is what takes the time

    signal.signal(signal.SIGINT, signal.default_int_handler)
    app()
