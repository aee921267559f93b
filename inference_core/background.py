"""Runs a coroutine function again and again beside the requests, and ends at once when its context does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from inference_core.loggers import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def run_until_cancelled(
    action: Callable[[], Awaitable[None]], *, every_s: float, name: str
) -> AsyncIterator[None]:
    """Await `action`, pause for `every_s`, and so on while the context lasts; a failed turn is logged, not the last."""

    # Cancelling is not enough: redis-py, for one, loses a cancellation that meets a timeout of its own.
    stopping = asyncio.Event()

    async def loop() -> None:
        while not stopping.is_set():
            await asyncio.sleep(every_s)
            try:
                await action()
            except Exception:
                # The one thing worse than a failed look is never to look again.
                log.exception("background_turn_failed", loop=name)

    task = asyncio.create_task(loop(), name=name)
    try:
        yield
    finally:
        stopping.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
