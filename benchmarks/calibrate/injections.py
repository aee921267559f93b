"""Causes of slowness that are injected into the running service, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import redis

from benchmarks.calibrate.disturbed.running import RunningService
from tests.support.fault_proxy import FaultProxy, Toxic

LOCKED_S, UNLOCKED_S = 0.15, 0.05
REDIS_PAUSE_S, REDIS_RUN_S = 0.05, 0.03
OUTSIDE_MS = 60
HOG_CORE = 0
HOG_BUSY_S, HOG_IDLE_S = 0.04, 0.02


@dataclass(frozen=True, slots=True)
class Injection:
    """A cause of slowness.

    - `named`: the causes that an episode may have, as `cause` of run.json; empty if nothing measured explains it.
    - `inject`: slows the service for so many seconds, and returns afterwards.
    - `settings`: the settings of the service.
    - `pinned`: whether the API runs on HOG_CORE only.
    """

    name: str
    named: frozenset[str]
    inject: Callable[[RunningService, FaultProxy, float], None] | None
    settings: Mapping[str, str] = field(default_factory=dict)
    pinned: bool = False


def _hold_connections(service: RunningService, _: FaultProxy, seconds: float) -> None:
    service.disturb("hold", seconds)


def _block_the_loop(service: RunningService, _: FaultProxy, seconds: float) -> None:
    service.disturb("block", seconds)


def _lock_a_table(service: RunningService, _: FaultProxy, seconds: float) -> None:
    asyncio.run(_locked(service.database_url, seconds))


async def _locked(url: str, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    connection = await asyncpg.connect(url)
    try:
        while time.monotonic() < end_s:
            async with connection.transaction():
                await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(LOCKED_S)
            await asyncio.sleep(UNLOCKED_S)
    finally:
        await connection.close()


def _pause_redis(service: RunningService, _: FaultProxy, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    with redis.Redis.from_url(service.redis_url) as client:
        while time.monotonic() < end_s:
            client.client_pause(int(REDIS_PAUSE_S * 1000))
            time.sleep(REDIS_PAUSE_S + REDIS_RUN_S)


def _use_the_cpu(_: RunningService, __: FaultProxy, seconds: float) -> None:
    with _hog():
        time.sleep(seconds)


_HOG = """
import time
while True:
    until_s = time.monotonic() + {busy_s}
    while time.monotonic() < until_s:
        pass
    time.sleep({idle_s})
"""


@contextlib.contextmanager
def _hog() -> Iterator[None]:
    """Run a process that takes HOG_CORE from all others for HOG_BUSY_S at a time, which needs root.

    At normal priority, Linux lets a process that computes little run at once, so it would hardly be delayed.
    """
    process = subprocess.Popen([sys.executable, "-c", _HOG.format(busy_s=HOG_BUSY_S, idle_s=HOG_IDLE_S)])
    try:
        os.sched_setaffinity(process.pid, {HOG_CORE})
        os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(1))
        yield
    finally:
        process.kill()
        process.wait()


def _delay_responses(_: RunningService, proxy: FaultProxy, seconds: float) -> None:
    proxy.add(Toxic("latency", ms=OUTSIDE_MS))
    time.sleep(seconds)
    proxy.clear()


def pin(service: RunningService) -> None:
    """Let all threads of the API run on HOG_CORE only. New threads inherit this."""
    for thread in Path(f"/proc/{service.api_pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {HOG_CORE})


NOTHING = Injection("nothing", frozenset(), None)
OUTSIDE = Injection("a delay outside the target", frozenset(), _delay_responses)
INJECTIONS = (
    Injection(
        "a pool of 2 connections is held",
        frozenset({"database wait"}),
        _hold_connections,
        settings={"DATABASE_POOL_SIZE": "2", "DATABASE_MAX_OVERFLOW": "0"},
    ),
    Injection("a table is locked", frozenset({"database statements"}), _lock_a_table),
    Injection("Redis pauses", frozenset({"redis operations"}), _pause_redis),
    Injection("the event loop is blocked", frozenset({"api loop_lag"}), _block_the_loop),
    Injection("other processes use the CPU", frozenset({"api cpu_wait"}), _use_the_cpu, pinned=True),
    OUTSIDE,
    NOTHING,
)
