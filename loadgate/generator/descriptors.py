"""File descriptors of the load generator: a reserve for the end of a run, and errors that are its own limits."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

RESERVE = 24
"""Enough to judge a run and to write what it leaves behind."""

OWN_LIMITS = {
    errno.EMFILE: "open files (raise the limit: ulimit -n)",
    errno.ENFILE: "open files of the machine",
    errno.EADDRNOTAVAIL: "local ports (spread the load over more machines or addresses)",
    errno.ENOBUFS: "socket buffers",
    errno.ENOMEM: "memory",
}
"""Errors by which a machine refuses to make a connection of its own, and what it has run out of."""

_MAX_DEPTH = 6


class Reserve:
    """Descriptors that are held while load is made and given up when it is over."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def hold(self) -> None:
        """Take as many as there are, at most `RESERVE`."""
        try:
            while len(self._held) < RESERVE:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return  # fewer descriptors are free than the reserve asks for

    def release(self) -> None:
        """Give them up."""
        while self._held:
            os.close(self._held.pop())


def own_limit(error: object) -> str | None:
    """Return what the load generator had run out of where that was the error, `None` for all other errors.

    HTTP clients wrap the error of the system in errors of their own, as a cause, a context, a reason or an argument.
    """
    return next((OWN_LIMITS[found.errno] for found in _chain(error, _MAX_DEPTH) if found.errno in OWN_LIMITS), None)


def _chain(error: object, depth: int) -> Iterator[OSError]:
    if not isinstance(error, BaseException) or not depth:
        return
    if isinstance(error, OSError):
        yield error
    for inner in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        yield from _chain(inner, depth - 1)
