"""Run a coroutine function repeatedly in the background until its context ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from inference_core.core.loggers import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def run_until_cancelled(
    action: Callable[[], Awaitable[None]], *, every_s: float, name: str
) -> AsyncIterator[None]:
    """Await `action` every `every_s` seconds during the context. A failure is logged and does not end the loop."""

    # A cancellation is not enough: redis-py can lose one that occurs during one of its own timeouts.
    stopping = asyncio.Event()

    async def loop() -> None:
        while not stopping.is_set():
            await asyncio.sleep(every_s)
            try:
                await action()
            except Exception:
                # A failure must not end the loop.
                log.exception("background_turn_failed", loop=name)

    task = asyncio.create_task(loop(), name=name)
    try:
        yield
    finally:
        stopping.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
