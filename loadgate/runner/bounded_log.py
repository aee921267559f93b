"""A log file of a process that can write any amount: it keeps the newest output."""

from __future__ import annotations

from io import FileIO
from pathlib import Path

MAX_PART_BYTES = 8 * 1024 * 1024
"""The maximum size of each of the two files of a log."""


class BoundedLog:
    """A log in `path`. Its older part is in a second file with the suffix `.1`; what is older is deleted."""

    def __init__(self, path: Path, max_part_bytes: int = MAX_PART_BYTES) -> None:
        """Create the file and its folder, and delete the older part of an earlier log."""
        self._path, self._max_bytes, self._bytes = path, max_part_bytes, 0
        self._older = path.with_name(f"{path.name}.1")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._older.unlink(missing_ok=True)
        self._file = self._opened()

    def write(self, data: bytes) -> None:
        """Append data. Raises OSError if it cannot be written, for example because the disk is full."""
        if self._bytes and self._bytes + len(data) > self._max_bytes:
            self._file.close()
            self._path.replace(self._older)
            self._file, self._bytes = self._opened(), 0
        self._bytes += self._file.write(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self) -> FileIO:
        # Unbuffered, so that a full disk loses log lines but raises no error when the file is closed.
        return self._path.open("wb", buffering=0)
