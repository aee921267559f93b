"""Stop a child process when its parent ends. On Linux this works even if the parent is killed."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable

PARENT_VARIABLE = "LOADGATE_PARENT"
"""Set by `loadgate run`: the parent's process id, and the descriptor to which Locust writes when the load starts."""

PR_SET_PDEATHSIG = 1
"""See prctl(2)."""


def stop_with_parent(parent: int) -> Callable[[], None] | None:
    """Return a function for the child that requests SIGTERM at the end of its parent. `None` except on Linux."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def request_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return request_signal


def follow_parent() -> None:
    """If `loadgate run` started this Locust process, stop the process when `loadgate run` ends."""
    if (given := _given_by_parent()) is not None:
        follow(given[0])


def follow(parent: int) -> None:
    """Stop this process when its parent ends."""
    if request_signal := stop_with_parent(parent):
        request_signal()


def tell_parent_of_load() -> None:
    """If `loadgate run` started this Locust process, tell it that the load starts now."""
    if (given := _given_by_parent()) is not None:
        del os.environ[PARENT_VARIABLE]
        os.write(given[1], b"1")
        os.close(given[1])


def _given_by_parent() -> tuple[int, int] | None:
    """Return the process id and the file descriptor in PARENT_VARIABLE. `None` if it is not set or malformed."""
    match = re.fullmatch(r"([0-9]{1,9}) ([0-9]{1,9})", os.environ.get(PARENT_VARIABLE, ""))
    return (int(match[1]), int(match[2])) if match else None
