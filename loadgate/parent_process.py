"""A child that must not outlive its parent: on Linux the kernel ends it when the parent was killed outright."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable

PARENT_VARIABLE = "LOADGATE_PARENT"
"""`loadgate run` tells its Locust: its own process id, and a file descriptor for a byte once load is being made."""

PR_SET_PDEATHSIG = 1
"""See prctl(2)."""


def end_with(parent: int) -> Callable[[], None] | None:
    """Return what a child has to call so that it gets SIGTERM when its parent ends; `None` where that is unknown."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def follow_parent() -> None:
    """Make this Locust end with the `loadgate run` that started it, if one did."""
    if (told := _told_by_parent()) is not None and (ask := end_with(told[0])):
        ask()


def tell_parent_of_load() -> None:
    """Tell the `loadgate run` that started this Locust, if one did, that load is being made from now on."""
    if (told := _told_by_parent()) is not None:
        del os.environ[PARENT_VARIABLE]
        os.write(told[1], b"1")
        os.close(told[1])


def _told_by_parent() -> tuple[int, int] | None:
    """Return the process id and the file descriptor of PARENT_VARIABLE, `None` where it holds nothing like it."""
    told = re.fullmatch(r"([0-9]{1,9}) ([0-9]{1,9})", os.environ.get(PARENT_VARIABLE, ""))
    return (int(told[1]), int(told[2])) if told else None
