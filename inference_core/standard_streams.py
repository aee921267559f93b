"""Standard streams for a process that was started without some of them (`2>&-`)."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Let streams that are closed lead nowhere.

    Python leaves them None, which no library expects that writes there or asks whether it is a terminal. Called before
    anything is opened it also keeps their numbers from a socket or a database, where a stray message would end up.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, "w" if number else "r")  # noqa: SIM115, PTH123  # for the life of the process
            setattr(sys, name, stream)
            if stream.fileno() == number:
                os.set_inheritable(number, True)
