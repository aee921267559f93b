"""How many requests a process serves at once: so many run, some more wait, the rest are told at once to come back.

Also knows whether the process is shutting down. One object for each application, shared by its middleware and lifespan.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from fastapi import Request

from inference_core.exceptions import DependencyUnavailableError

SLOT_KEY = "inference_core.slot"
# The server's own `receive`, which everything around a request wraps.
RECEIVE_KEY = "inference_core.receive"
# A request that waited this long for its turn is better answered than served: its caller has likely gone.
LONGEST_WAIT_S = 5.0


class OverloadedError(DependencyUnavailableError):
    """More requests than this process can serve; try again in `retry_after_s` seconds."""

    code = "overloaded"
    detail = "The service is busy. Try again shortly."
    retry_after_s = 1


@dataclass(slots=True)
class Traffic:
    """Slots for running requests and a bounded queue for them, first come first served."""

    limit: int
    queue_limit: int
    active: int = 0
    draining: bool = False
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def try_enter(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.active >= self.limit or self.waiting:
            return False
        self.active += 1
        return True

    async def enter(self) -> None:
        """Wait for a slot.

        Raises:
            OverloadedError: at once if too many wait already, or after `LONGEST_WAIT_S`.
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
        """Give a slot back: to whoever has waited longest."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.active -= 1


@dataclass(slots=True)
class Slot:
    """One request's slot; given back once, however often that is asked."""

    traffic: Traffic
    held: bool = True

    def release(self) -> None:
        """Give it back."""
        if self.held:
            self.held = False
            self.traffic.leave()


def release_slot(request: Request) -> None:
    """Give the request's slot back early: it will only wait, or stream, from here on."""
    slot = request.scope.get(SLOT_KEY)
    if isinstance(slot, Slot):
        slot.release()
