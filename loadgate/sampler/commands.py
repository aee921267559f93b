"""The lines that the load generator sends to the sampler."""

from __future__ import annotations

import os
import select
import time

_READ_BYTES = 65_536


class Commands:
    """Reads lines from a pipe."""

    def __init__(self, pipe: int) -> None:
        self.is_closed = False
        self._pipe = pipe
        self._buffer = b""

    def next(self, timeout_s: float | None) -> str:
        """Return the next line without its end. Empty if there is none within the timeout, or the pipe is closed."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while b"\n" not in self._buffer and not self.is_closed:
            left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            if not select.select([self._pipe], [], [], left_s)[0]:
                return ""
            data = os.read(self._pipe, _READ_BYTES)
            self.is_closed = not data
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()
