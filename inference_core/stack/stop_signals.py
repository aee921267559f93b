"""Ctrl-C, SIGTERM and SIGHUP as a wish to stop that is never lost and never breaks off the start of a child."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Notes the signals while it is entered; who waits asks `check`.

    They are not simply raised where they arrive: Python discards what is raised in the callbacks of a fork, and a child
    whose start is broken off belongs to nobody.
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
        """Raise if one came.

        Raises:
            KeyboardInterrupt: one did.
        """
        if self._came:
            raise KeyboardInterrupt

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Raise them as they come, for work that waits by itself and starts no child."""
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
