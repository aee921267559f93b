"""Standard streams for a process that was started without some of them (`2>&-`)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Open /dev/null for closed standard streams.

    Python sets them to None, which libraries do not expect when they write to a stream or check whether it is a
    terminal. If this is called first, no socket or database gets their descriptors, to which a stray message could be
    written.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w" if number else "r")  # noqa: SIM115, PTH123  # for the life of the process
            setattr(sys, name, stream)
            if stream.fileno() == number:
                os.set_inheritable(number, True)
