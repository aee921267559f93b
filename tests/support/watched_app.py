"""The tests' service with every turn of its event loop timed; needs asyncio's own loop (`--loop asyncio`)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from fastapi import APIRouter

from tests.support.service_app import router as test_routes
from tests.support.settings import application


@dataclass(slots=True)
class Turns:
    """The longest turn of the loop since it was last asked about: by the clock, and by the thread's own work."""

    wall_ms: float = 0.0
    cpu_ms: float = 0.0
    callback: str = ""

    def note(self, wall_s: float, cpu_s: float, handle: asyncio.Handle) -> None:
        if wall_s * 1000 > self.wall_ms:
            self.wall_ms, self.callback = wall_s * 1000, repr(handle)
        self.cpu_ms = max(self.cpu_ms, cpu_s * 1000)


turns = Turns()
router = APIRouter(prefix="/test")


@router.get("/longest-turn")
async def longest_turn() -> Turns:
    global turns  # there is one loop, and this program is about it
    seen, turns = turns, Turns()
    return seen


def time_every_turn() -> None:
    """Put a stopwatch around everything asyncio's loop calls."""
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        run(handle)
        turns.note(time.perf_counter() - wall_s, time.thread_time() - cpu_s, handle)

    asyncio.Handle._run = timed  # type: ignore[method-assign]


time_every_turn()
app = application(None, test_routes, router)
