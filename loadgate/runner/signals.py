"""Collect the signals that stop a run, so that they do not interrupt a cleanup. Waiting loops poll them."""

from __future__ import annotations

import signal
import subprocess
from collections import deque
from types import FrameType
from typing import Any, Self

from loadgate.runner.terminal_watch import hang_up_with_terminal


class Signals:
    """A context manager that collects SIGINT, SIGTERM and SIGHUP."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._pending: deque[int] = deque()
        self._received = False
        self._previous: list[Any] = []

    def __enter__(self) -> Self:
        hang_up_with_terminal()
        self._previous = [signal.signal(number, self._note) for number in self._NUMBERS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in zip(self._NUMBERS, self._previous, strict=True):
            signal.signal(number, previous)

    def any(self) -> bool:
        """Return whether a signal was received."""
        return self._received

    def waiting(self) -> bool:
        """Return whether a signal was received that was not relayed to Locust, for example after its end."""
        return bool(self._pending)

    def is_interrupted(self) -> bool:
        """Return whether a Ctrl-C was received that was not relayed to Locust."""
        return signal.SIGINT in self._pending

    def relay(self, child: subprocess.Popen[bytes]) -> None:
        """Relay new signals to Locust. SIGHUP becomes SIGTERM, because SIGHUP would kill Locust."""
        while self._pending:
            number = self._pending.popleft()
            child.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's signature
        self._received = True
        self._pending.append(number)
