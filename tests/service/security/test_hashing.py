"""Hashing never holds up the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import httpx2
import pytest

from inference_core.auth.passwords.hashing import Passwords, usable_cores
from tests.support.accounts import new_registration
from tests.support.service import api_process, service_env
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

LOGINS_AT_ONCE = 8


async def test_hashes_run_in_as_many_threads_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s = list[float]()
    passwords = Passwords(Settings(_env_file=None, argon2_memory_kib=64, argon2_time_cost=1), waits_s.append)
    threads, running, most = set[int](), 0, 0
    lock = threading.Lock()

    def slow_hash(password: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            threads.add(threading.get_ident())
        time.sleep(0.005)
        with lock:
            running -= 1
        return password

    monkeypatch.setattr(passwords._hasher, "hash", slow_hash)
    await asyncio.gather(*(passwords.hash("x") for _ in range(4 * usable_cores())))
    passwords.close()
    assert threading.get_ident() not in threads
    assert len(threads) == most == usable_cores()
    assert len(waits_s) == 4 * usable_cores()
    assert max(waits_s) >= 3 * 0.005  # the last ones wait for three others


@pytest.mark.full
async def test_S18_the_service_answers_while_many_log_in(tmp_path: Path, redis_url: str) -> None:
    # A hash takes a hundred times as long as a ping, on however busy a machine.
    cost = {"ARGON2_MEMORY_KIB": "19456", "ARGON2_TIME_COST": "20"}
    env = await asyncio.to_thread(lambda: service_env(tmp_path, redis_url, **cost))
    account = new_registration()
    login = {"username": account["username"], "password": account["password"]}
    with api_process(tmp_path, env) as api:
        async with httpx2.AsyncClient(base_url=f"{api.url}/api/v1", timeout=30, trust_env=False) as client:
            assert (await client.post("/auth/register", json=account)).status_code == 201
            logins = [asyncio.create_task(client.post("/auth/login", json=login)) for _ in range(LOGINS_AT_ONCE)]
            pings = 0
            while not all(task.done() for task in logins):
                assert (await client.get("/health/ping")).status_code == 200
                pings += 1
            assert {(await task).status_code for task in logins} == {200}
    # On the event loop, the hashes would let one ping through between two of them.
    assert pings > 2 * LOGINS_AT_ONCE
