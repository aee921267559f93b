"""Handle Ctrl-C in a Locust process. The first Ctrl-C ends the run, and a second one ends every wait."""

from __future__ import annotations

import signal
from collections.abc import Callable

import gevent


class CtrlC:
    """A handler of SIGINT. The first signal interrupts Locust's main greenlet; further signals call `on_repeat`.

    Python's default handler raises in the code that is running. This can be a request, a write of a file, or the event
    loop, where Locust can hang forever.
    """

    def __init__(self, on_repeat: Callable[[], None]) -> None:
        self.was_repeated = False
        self.is_ending = False
        """Set this when the run ends for another reason. The next Ctrl-C then calls `on_repeat`."""
        self._on_repeat = on_repeat
        gevent.signal_handler(signal.SIGINT, self._on_signal)

    def _on_signal(self) -> None:
        if self.is_ending:
            self.was_repeated = True
            self._on_repeat()
        else:
            self.is_ending = True
            gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
