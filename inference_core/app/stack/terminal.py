"""Stop a command when its terminal closes, even if the kernel signals another process, such as `make`."""

from __future__ import annotations

import os
import select
import signal
import threading


def hang_up_with_terminal() -> None:
    """Send this process SIGHUP when its controlling terminal closes.

    The kernel sends the signal only to the session leader. A process without a terminal, or one that ignores SIGHUP
    (`nohup`), gets no signal.
    """
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return

    def wait() -> None:
        poller = select.poll()
        poller.register(terminal, 0)  # a hang-up is always reported
        poller.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, name="terminal", daemon=True).start()
