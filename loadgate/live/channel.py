"""The pipe through which Locust sends live states to `loadgate run`: one JSON object per line."""

from __future__ import annotations

import os

from loadgate.live.state import LiveState

LIVE_VARIABLE = "LOADGATE_LIVE"
"""The file descriptor to which Locust writes its states."""

_READ_BYTES = 65_536


class StateWriter:
    """Writes states without blocking. If the reader is too slow, states are skipped."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._rest = b""

    @classmethod
    def from_environment(cls) -> StateWriter | None:
        """Return the writer to the parent process. `None` if the parent does not read states."""
        try:
            return cls(int(os.environ[LIVE_VARIABLE]))
        except (KeyError, ValueError, OverflowError, OSError):
            return None  # not set, or inherited from an unrelated process

    def write(self, state: LiveState) -> None:
        """Write a state, or the rest of the previous one."""
        data = self._rest or state.model_dump_json().encode() + b"\n"
        try:
            written = os.write(self._pipe, data)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            # The parent has ended; the run continues without it.
            self._rest = b""
            return
        # Complete a partly written line. Drop a line that was not started, because it becomes stale.
        self._rest = data[written:] if written else self._rest


class StateReader:
    """Reads the states of a `StateWriter` without blocking."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._buffer = b""

    def latest(self) -> LiveState | None:
        """Return the newest state since the last call. `None` if there is none."""
        while data := self._read():
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return LiveState.model_validate_json(lines[-1]) if lines else None

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, _READ_BYTES)
        except BlockingIOError:
            return b""
