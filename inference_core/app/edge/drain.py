"""The drain: after SIGTERM, the process reports itself as not ready and stops its server only later.

The server's own handler closes the listening socket immediately, so requests that a balancer still sends would be
refused. An interrupt (Ctrl-C) stops the server immediately.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from uvicorn import Server

from inference_core.core.loggers import get_logger
from inference_core.core.traffic import Traffic

log = get_logger(__name__)

SignalHandler = Callable[[int, FrameType | None], None]


def running_server() -> Server | None:
    """Return the uvicorn server of this process, from its SIGTERM handler. None if there is none."""
    if threading.current_thread() is not threading.main_thread():
        return None
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, Server) else None


@contextmanager
def drain_on_sigterm(traffic: Traffic, *, drain_s: float, grace_s: float) -> Iterator[None]:
    """Install the drain before the server's signal handlers, for the duration of the context.

    After `drain_s`, the server is told to stop, and running requests finish. The server cancels requests that are still
    running after another `grace_s`, and then ends the lifespan. A second SIGTERM skips the drain, and so does an
    interrupt. Without a server handler (tests in process), this does nothing.
    """
    previous = signal.getsignal(signal.SIGTERM) if threading.current_thread() is threading.main_thread() else None
    if not callable(previous):
        yield
        return
    stop_server = previous
    server = running_server()
    loop = asyncio.get_running_loop()
    if server is not None:
        # Without a limit, uvicorn waits forever. A signal that ends its wait would also skip the end of the lifespan.
        server.config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]  # any number of seconds

    def stop() -> None:
        # With its own handler, uvicorn would end by the signal. With its flag, it ends with exit code 0.
        if server is not None:
            server.should_exit = True
        else:
            stop_server(signal.SIGTERM, None)

    def schedule() -> None:
        log.info("draining", drain_s=drain_s, grace_s=grace_s)
        loop.call_later(drain_s, stop)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if traffic.draining:
            stop_server(number, frame)
            return
        traffic.draining = True
        loop.call_soon_threadsafe(schedule)

    with ExitStack() as handlers:
        handlers.enter_context(_handler(signal.SIGTERM, on_sigterm))
        if server is not None:
            handlers.enter_context(_handler(signal.SIGINT, _interrupt(traffic, server)))
        yield


def _interrupt(traffic: Traffic, server: Server) -> SignalHandler:
    def on_sigint(number: int, frame: FrameType | None) -> None:
        traffic.draining = True
        server.handle_exit(number, frame)

    return on_sigint


@contextmanager
def _handler(number: signal.Signals, handler: SignalHandler) -> Iterator[None]:
    """Install a signal handler for the duration of the context, unless another one replaces it."""
    previous = signal.signal(number, handler)
    try:
        yield
    finally:
        if signal.getsignal(number) is handler:
            signal.signal(number, previous)
