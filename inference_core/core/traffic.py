"""Limit the concurrent requests of a process: some run, some wait, and further ones are refused immediately.

This module also knows whether the process is shutting down. Each application has one object, which its middleware and
lifespan share.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from fastapi import Request

from inference_core.core.exceptions import DependencyUnavailableError

SLOT_KEY = "inference_core.slot"
# The server's own `receive`, which the wrappers of a request call.
RECEIVE_KEY = "inference_core.receive"
# A request that has waited this long is refused, because its client has probably disconnected.
LONGEST_WAIT_S = 5.0


class OverloadedError(DependencyUnavailableError):
    """Raised if the process cannot serve more requests. Retry after `retry_after_s` seconds."""

    code = "overloaded"
    detail = "The service is busy. Try again shortly."
    retry_after_s = 1


class ShuttingDownError(DependencyUnavailableError):
    """Raised if the process stops before a request is served. Another process can serve it."""

    code = "shutting_down"
    detail = "The service is shutting down. Try again."
    retry_after_s = 1


@dataclass(slots=True)
class Traffic:
    """The slots of running requests, and a bounded first-in, first-out queue."""

    limit: int
    queue_limit: int
    active: int = 0
    draining: bool = False
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def try_enter(self) -> bool:
        """Take a slot if one is free and no request waits for it."""
        if self.active >= self.limit or self.waiting:
            return False
        self.active += 1
        return True

    async def enter(self) -> None:
        """Wait for a slot.

        Raises:
            OverloadedError: Too many requests wait, or this one has waited for `LONGEST_WAIT_S`.
        """
        if len(self.waiting) >= self.queue_limit:
            raise OverloadedError
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self.waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise OverloadedError from error
            raise

    def leave(self) -> None:
        """Pass a slot to the request that has waited longest, or release it."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1


@dataclass(slots=True)
class Slot:
    """The slot of one request. It is released once, even if `release` is called repeatedly."""

    traffic: Traffic
    held: bool = True

    def release(self) -> None:
        """Release the slot."""
        if self.held:
            self.held = False
            self.traffic.leave()


def release_slot(request: Request) -> None:
    """Release the slot of a request early, because it will only wait or stream."""
    slot = request.scope.get(SLOT_KEY)
    if isinstance(slot, Slot):
        slot.release()
