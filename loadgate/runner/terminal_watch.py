"""Ends a command with its terminal, also where the signal of that goes to another process, such as `make`."""

from __future__ import annotations

import os
import select
import signal
import threading


def hang_up_with_terminal() -> None:
    """Send this process a SIGHUP when its controlling terminal is gone.

    The system tells the first process of the terminal only. A process without a terminal, or one that ignores the
    signal (`nohup`), is left alone.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return

    def wait() -> None:
        poller = select.poll()
        poller.register(terminal, 0)  # a hang-up is told without being asked for
        poller.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, name="terminal", daemon=True).start()
