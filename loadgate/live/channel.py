"""The pipe by which Locust tells the `loadgate run` that started it how the run goes: one JSON object a line."""

from __future__ import annotations

import json
import os

from loadgate.live.state import LiveState

LIVE_VARIABLE = "LOADGATE_LIVE"
"""The number of the pipe's end for writing, in the environment of Locust."""

_READ_BYTES = 65_536


class StateWriter:
    """Writes states, and never waits: where the reader does not keep up, states are left out."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._rest = b""

    @classmethod
    def from_environment(cls) -> StateWriter | None:
        """Return the writer for the process that started this one, `None` where nobody listens."""
        try:
            return cls(int(os.environ[LIVE_VARIABLE]))
        except (KeyError, ValueError, OverflowError, OSError):
            return None  # not set, or left over from another process

    def write(self, state: LiveState) -> None:
        """Write a state, or what is left of the one before."""
        data = self._rest or json.dumps(state.to_json(), separators=(",", ":")).encode() + b"\n"
        try:
            written = os.write(self._pipe, data)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            # Nobody is there to be told; the run goes on.
            self._rest = b""
            return
        # A line that has begun is finished before the next; one that has not is out of date by then.
        self._rest = data[written:] if written else self._rest


class StateReader:
    """Reads what a `StateWriter` wrote; never waits."""

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._buffer = b""

    def latest(self) -> LiveState | None:
        """Return the newest state that has come since the last call, if any."""
        while data := self._read():
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return LiveState.from_json(json.loads(lines[-1])) if lines else None

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, _READ_BYTES)
        except BlockingIOError:
            return b""
