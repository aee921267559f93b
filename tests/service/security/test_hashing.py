"""Hashing never holds up the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import httpx2
import pytest

from inference_core.auth.passwords import Passwords, usable_cores
from inference_core.settings import Settings
from tests.support.accounts import new_registration
from tests.support.service import api_process, service_env

pytestmark = pytest.mark.anyio

LOGINS_AT_ONCE = 20
PING_P99_MS = 50.0
# The machine may be busy with other tests; a service that hashes on its event loop fails every time.
TRIES = 15


async def test_hashes_run_in_as_many_threads_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(Settings(_env_file=None, argon2_memory_kib=64, argon2_time_cost=1))
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


async def test_S18_the_service_answers_while_many_log_in(tmp_path: Path, redis_url: str) -> None:
    cost = {"ARGON2_MEMORY_KIB": "19456", "ARGON2_TIME_COST": "2"}
    env = await asyncio.to_thread(lambda: service_env(tmp_path, redis_url, **cost))
    with api_process(tmp_path, env) as api:
        measured: list[float] = []
        for _ in range(TRIES):
            measured.append(await ping_p99_ms_while_logging_in(api.url))
            if measured[-1] < PING_P99_MS:
                return
    pytest.fail(f"p99 of ping in ms: {measured}")


async def ping_p99_ms_while_logging_in(url: str) -> float:
    account = new_registration()
    login = {"username": account["username"], "password": account["password"]}
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=30, trust_env=False) as client:
        assert (await client.post("/auth/register", json=account)).status_code == 201
        await client.get("/health/ping")
        logins = [asyncio.create_task(client.post("/auth/login", json=login)) for _ in range(LOGINS_AT_ONCE)]
        times_ms = []
        while not all(task.done() for task in logins):
            start = time.perf_counter()
            assert (await client.get("/health/ping")).status_code == 200
            times_ms.append((time.perf_counter() - start) * 1000)
        assert {(await task).status_code for task in logins} == {200}
    assert len(times_ms) > LOGINS_AT_ONCE
    return sorted(times_ms)[int(len(times_ms) * 0.99)]
