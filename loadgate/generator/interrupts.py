"""Ctrl-C in a Locust process: once to end the run, again to wait for nothing; and SIGTERM while it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable

import gevent

OTHER_END_S = 60.0
"""Longer than any end of the process takes."""


class CtrlC:
    """Interrupts Locust's main greenlet the first time, and nothing else; calls `hurry` the next times.

    Python's own handler raises in whatever code happens to run: in the middle of a request, of what is being written,
    or of the event loop, where Locust can hang for good.
    """

    def __init__(self, hurry: Callable[[], None]) -> None:
        self.came_again = False
        self.is_ending = False
        """Set it when the run is being ended for another reason: from then on a Ctrl-C hurries."""
        self._hurry = hurry
        gevent.signal_handler(signal.SIGINT, self._on_signal)

    def _on_signal(self) -> None:
        if self.is_ending:
            self.came_again = True
            self._hurry()
        else:
            self.is_ending = True
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())


def leave_to_the_other_end() -> None:
    """Wait for the end of the process: SIGTERM makes Locust end it a second time, beside an end that goes on."""
    gevent.sleep(OTHER_END_S)
