"""Ctrl-C in a Locust process: the first one ends the run, the second one ends all waiting. Also a repeated SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Callable

import gevent

SHUTDOWN_WAIT_S = 60.0
"""Longer than the process needs to end."""


class CtrlC:
    """A handler of SIGINT that interrupts Locust's main greenlet the first time, and then calls `hurry`.

    Python's own handler raises in the code that is running: in a request, in a write of a file, or in the event loop,
    where Locust can hang forever.
    """

    def __init__(self, hurry: Callable[[], None]) -> None:
        self.was_repeated = False
        self.is_ending = False
        """Set this when the run ends for another reason, so that the next Ctrl-C calls `hurry`."""
        self._hurry = hurry
        gevent.signal_handler(signal.SIGINT, self._on_signal)

    def _on_signal(self) -> None:
        if self.is_ending:
            self.was_repeated = True
            self._hurry()
        else:
            self.is_ending = True
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())


def wait_for_first_shutdown() -> None:
    """Wait for the end of the process. A SIGTERM makes Locust start a second shutdown while the first one runs."""
    gevent.sleep(SHUTDOWN_WAIT_S)
