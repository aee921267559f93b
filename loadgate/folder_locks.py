"""Locks on folders. A process that is killed loses its locks, so a folder without a lock is not in use."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder during the block, so that `deleting` leaves it alone.

    The children of this process do not inherit the lock. On a file system without locks, the block runs without one.

    Raises:
        OSError: The folder cannot be opened.
    """
    handle = _opened(folder)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def deleting(folder: Path) -> Iterator[bool]:
    """Give whether nobody uses a folder, which must not be a link. Nobody can begin to use it during the block.

    Raises:
        OSError: The folder cannot be opened.
    """
    handle = _opened(folder)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError:
            yield True  # the file system has no locks
        else:
            yield True
    finally:
        os.close(handle)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
