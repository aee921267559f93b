"""A SIGTERM first makes the process unready, lets the balancer notice, and only then stops the server.

The server's own handler closes the listening socket at once: whoever was sent here meanwhile would be refused.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from uvicorn import Server

from inference_core.loggers import get_logger
from inference_core.traffic import Traffic

log = get_logger(__name__)


def running_server() -> Server | None:
    """The uvicorn server that runs this process, known by its handler of SIGTERM; None where there is none."""
    if threading.current_thread() is not threading.main_thread():
        return None
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, Server) else None


@contextmanager
def drain_on_sigterm(traffic: Traffic, *, drain_s: float, grace_s: float) -> Iterator[None]:
    """Put the drain before the server's handler of SIGTERM for the time of the context.

    After `drain_s` the server is told to stop, which lets running requests finish; those that have not after another
    `grace_s` are cut. A second SIGTERM skips the drain. Without a server's handler (tests in process) nothing is done.
    """
    previous = signal.getsignal(signal.SIGTERM) if threading.current_thread() is threading.main_thread() else None
    if not callable(previous):
        yield
        return
    stop_server = previous
    server = running_server()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # uvicorn's handler would have it end by the signal; told by its flag it ends with 0, as after a clean stop.
        if server is not None:
            server.should_exit = True
        else:
            stop_server(signal.SIGTERM, None)

    def schedule() -> None:
        log.info("draining", drain_s=drain_s, grace_s=grace_s)
        loop.call_later(drain_s, stop)
        # To a server that is stopping already, a SIGINT says not to wait any longer.
        loop.call_later(drain_s + grace_s, stop_server, signal.SIGINT, None)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if traffic.draining:
            stop_server(number, frame)
            return
        traffic.draining = True
        loop.call_soon_threadsafe(schedule)

    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is on_sigterm:
            signal.signal(signal.SIGTERM, previous)
