"""Collect Ctrl-C, SIGTERM and SIGHUP, so that none is lost and none interrupts the start of a child."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """A context that records the signals. Waiting code calls `check`.

    The signals are not raised where they arrive: Python discards exceptions in the callbacks of a fork, and a child
    whose start was interrupted would not be stopped.
    """

    def __init__(self) -> None:
        self._came = False
        self._raises = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received."""
        if self._came:
            raise KeyboardInterrupt

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Raise signals when they arrive, for code that waits by itself and starts no child."""
        self._raises = True
        try:
            self.check()
            yield
        finally:
            self._raises = False

    def _note(self, _signum: int, _frame: FrameType | None) -> None:
        self._came = True
        if self._raises:
            raise KeyboardInterrupt
