"""The entry point of the `inference-core` command. Ctrl-C during the imports stops it without a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys

from inference_core.core.standard_streams import open_closed_streams

UNWRITABLE = {errno.ENOSPC, errno.EIO, errno.EBADF}


def main() -> None:
    """Load the command line and run it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    open_closed_streams()
    from inference_core.app import cli  # noqa: PLC0415 - loading it is what takes the time

    commands = cli.load_commands()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        commands()
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        # The rest of the buffer would fail again at the end of the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"inference-core: the output cannot be written: {error.strerror}")
