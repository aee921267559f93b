"""A reserve of file descriptors for the end of a run, and the detection of exhausted resources of the generator."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

RESERVE = 24
"""Number of descriptors; enough to determine the verdict of a run and to write its artefacts."""

EXHAUSTIBLE_RESOURCES = {
    errno.EMFILE: "open files (raise the limit: ulimit -n)",
    errno.ENFILE: "open files of the machine",
    errno.EADDRNOTAVAIL: "local ports (spread the load over more machines or addresses)",
    errno.ENOBUFS: "socket buffers",
    errno.ENOMEM: "memory",
}
"""Errors of the generator's machine that prevent a connection, and the resource that is exhausted."""

_MAX_DEPTH = 6


class Reserve:
    """File descriptors that are held during the load and released after it."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def hold(self) -> None:
        """Open as many descriptors as possible, at most `RESERVE`."""
        try:
            while len(self._held) < RESERVE:
                # A regular file is closed at once. gevent closes other descriptors in a later turn of the event loop.
                self._held.append(os.open(__file__, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return  # fewer than RESERVE descriptors are free

    def release(self) -> None:
        """Close the descriptors."""
        while self._held:
            os.close(self._held.pop())


def exhausted_resource(error: object) -> str | None:
    """Return the exhausted resource of the load generator that caused the error. `None` for all other errors.

    HTTP clients wrap the error of the operating system as the cause, context, reason or argument of their own error.
    """
    return next(
        (
            EXHAUSTIBLE_RESOURCES[found.errno]
            for found in _chain(error, _MAX_DEPTH)
            if found.errno in EXHAUSTIBLE_RESOURCES
        ),
        None,
    )


def _chain(error: object, depth: int) -> Iterator[OSError]:
    if not isinstance(error, BaseException) or not depth:
        return
    if isinstance(error, OSError):
        yield error
    for inner in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        yield from _chain(inner, depth - 1)


def open_files_limit() -> int | None:
    """Return how many files this process may open. `None` without a limit, or if the system does not tell."""
    try:
        import resource  # noqa: PLC0415 - it does not exist on Windows
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit
