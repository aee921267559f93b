"""Routes that are slow on purpose. Each request lasts as long as it disturbs the others."""

from __future__ import annotations

import asyncio
import random
import time

from fastapi import APIRouter

from inference_core.core.db.engine import Database
from inference_core.core.state import StateDep

PREFIX = "/disturb"
BLOCK_S = 0.05
FREE_S = (0.05, 0.1)
"""The loop is free for so long between two blocks."""

HOLD_S, PAUSE_S = 0.3, 0.03

router = APIRouter(prefix=PREFIX)


@router.post("/block")
async def block(seconds: float) -> None:
    """Block the event loop for 50 ms at a time, as a call does that should have been awaited."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(BLOCK_S)  # noqa: ASYNC251 - this is the disturbance
        await asyncio.sleep(random.uniform(*FREE_S))  # noqa: S311 - any time


@router.post("/hold")
async def hold(seconds: float, state: StateDep) -> None:
    """Hold all connections of the pool for 300 ms at a time, as requests do that call another service meanwhile."""
    database = state.database
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        async with asyncio.TaskGroup() as holders:
            for _ in range(state.settings.database_pool_size):
                holders.create_task(_hold_one(database))
        await asyncio.sleep(PAUSE_S)


async def _hold_one(database: Database) -> None:
    async with database.engine.connect():
        await asyncio.sleep(HOLD_S)
