"""F07-F12: a database that is away, silent, cut off, exhausted, crowded, full."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from sqlalchemy.engine import make_url

from tests.support.accounts import new_registration
from tests.support.bounds import quick, shows
from tests.support.fault_proxy import FaultProxy, Toxic, fault_proxy
from tests.support.processes import wait_until
from tests.support.servers.databases import create_database
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

pytestmark = pytest.mark.full

POOL = {"DATABASE_POOL_SIZE": "2", "DATABASE_MAX_OVERFLOW": "0", "DATABASE_POOL_TIMEOUT_S": "1"}
STATEMENT_S = 3.0
WRITERS, REGISTRATIONS_EACH = 32, 50
PASSWORD = "correct horse 7"


@pytest.fixture
def server_database(postgresql: str) -> str:
    return create_database(postgresql, f"faults_{uuid4().hex[:8]}")


@pytest.fixture
def proxy(server_database: str) -> Iterator[FaultProxy]:
    with fault_proxy(make_url(server_database).port or 0) as proxy:
        yield proxy


@pytest.fixture
def api(tmp_path: Path, redis_url: str, server_database: str, proxy: FaultProxy) -> Iterator[ApiProcess]:
    """The service on PostgreSQL behind the proxy, with a pool of two."""
    url = make_url(server_database).set(port=proxy.port).render_as_string(hide_password=False)
    limits = {**POOL, "DATABASE_STATEMENT_TIMEOUT_S": str(STATEMENT_S)}
    with api_process(tmp_path, service_env(tmp_path, redis_url, DATABASE_URL=url, **limits)) as api:
        yield api


@pytest.fixture
def sqlite_api(tmp_path: Path, redis_url: str) -> Iterator[ApiProcess]:
    with api_process(tmp_path, service_env(tmp_path, redis_url)) as api:
        yield api


def register(client: httpx2.Client, name: str | None = None) -> httpx2.Response:
    name = name or f"u{uuid4().hex[:12]}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    return client.post(f"{PREFIX}/auth/register", json=body)


def bearer(client: httpx2.Client) -> dict[str, str]:
    name: str = register(client).json()["username"]
    login = client.post(f"{PREFIX}/auth/login", json={"username": name, "password": PASSWORD})
    return {"Authorization": f"Bearer {login.json()['access_token']}"}


def timed_me(client: httpx2.Client, headers: dict[str, str]) -> tuple[int, float]:
    start_s = time.monotonic()
    response = client.get(f"{PREFIX}/auth/me", headers=headers)
    if response.status_code == 503:
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
    return response.status_code, time.monotonic() - start_s


def is_503(status: int) -> None:
    assert status == 503


def test_F07_stopped_database_is_told_at_once_and_found_again(api: ApiProcess, proxy: FaultProxy) -> None:
    with api.client() as client:
        headers = bearer(client)
        shows(
            lambda: api.get("/health/").status_code == 503,
            within_s=1.0,
            after=lambda: proxy.add(Toxic("down")),
            undo=lambda: (proxy.clear(), wait_until(lambda: api.get("/health/").status_code == 200)),
        )
        body = api.get("/health/").json()
        assert (body["status"], body["components"]["database"]["status"]) == ("unhealthy", "unhealthy")
        assert api.get("/health/database").status_code == 503
        assert api.get("/health/ready").status_code == 503
        for _ in range(4):
            quick(lambda: timed_me(client, headers)[0], within_s=2.0, check=is_503)
        assert api.get("/health/ping").status_code == 200
        proxy.clear()
        wait_until(lambda: api.get("/health/").status_code == 200)
        wait_until(lambda: timed_me(client, headers)[0] == 200)


def timed_register(client: httpx2.Client) -> tuple[int, float]:
    start_s = time.monotonic()
    return register(client).status_code, time.monotonic() - start_s


def test_F08_silent_database_costs_a_statements_time_and_others_nothing(api: ApiProcess, proxy: FaultProxy) -> None:
    with api.client(timeout_s=30) as client:
        headers = bearer(client)
        proxy.add(Toxic("timeout"))
        with ThreadPoolExecutor(6) as pool:
            reads = [pool.submit(timed_me, client, headers) for _ in range(4)]
            writes = [pool.submit(timed_register, client) for _ in range(2)]
            wait_until(lambda: api.get("/health/").status_code == 503)
            pings_s = []
            for _ in range(50):
                start_s = time.monotonic()
                assert api.get("/health/ping").status_code == 200
                pings_s.append(time.monotonic() - start_s)
            assert statistics.median(pings_s) < 0.2
            answers = [future.result(30) for future in [*reads, *writes]]
        assert {status for status, _ in answers} == {503}
        waits_s = sorted(seconds for _, seconds in answers)
        # Whoever reached the server waited for one statement; the rollback and the goodbye, which it would not have
        # answered either, are not waited for. Whoever came after them waited for a connection of the pool.
        assert waits_s[-1] < STATEMENT_S + 2
        assert waits_s[0] < waits_s[-1] - 1
        proxy.clear()
        wait_until(lambda: timed_me(client, headers)[0] == 200)
        wait_until(lambda: register(client).status_code == 201)


def test_F09_killed_connections_cost_no_read_and_at_most_a_write_each(api: ApiProcess, server_database: str) -> None:
    reads: Counter[int] = Counter()
    writes: Counter[int] = Counter()
    killed = 0
    stopped = threading.Event()

    def keep_reading(path: str) -> None:
        with api.client() as own:
            while not stopped.is_set():
                reads[own.get(f"{PREFIX}{path}", headers=headers).status_code] += 1

    def keep_writing() -> None:
        with api.client() as own:
            while not stopped.is_set():
                writes[register(own).status_code] += 1

    with api.client() as client:
        headers = bearer(client)
    asyncio.run(_ask(server_database, "UPDATE users SET is_superuser = true RETURNING id"))
    jobs: list[Callable[[], None]] = [lambda: keep_reading("/auth/me"), lambda: keep_reading("/admin/users")]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(job) for job in (*jobs, jobs[0], keep_writing)]
        try:
            for _ in range(6):
                before = reads.total(), writes.total()
                wait_until(lambda before=before: reads.total() > before[0] + 20 and writes.total() > before[1] + 3)  # type: ignore[misc]
                killed += len(asyncio.run(_ask(server_database, KILL_CONNECTIONS)))
            before = reads.total(), writes.total()
            wait_until(lambda: reads.total() > before[0] + 20 and writes.total() > before[1] + 3)
        finally:
            stopped.set()
        for future in running:
            future.result(20)
    assert killed > 6
    assert set(reads) == {200}, reads
    assert set(writes) <= {201, 503}, writes
    assert writes[503] <= killed


KILL_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def _ask(url: str, question: str) -> list[Any]:
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        return list(await connection.fetch(question))
    finally:
        await connection.close()


def test_F10_exhausted_pool_answers_within_its_timeout_and_leaks_nothing(api: ApiProcess, server_database: str) -> None:
    with api.client(timeout_s=20) as client:
        headers = bearer(client)
        with ThreadPoolExecutor(50) as pool:
            blocked = pool.submit(asyncio.run, _lock_users(server_database, seconds=2.5))
            wait_until(blocked.running, what="the lock taken")
            time_limit_s = 6.5  # the pool's timeout, or the lock's end
            answers = list(pool.map(lambda _: timed_me(client, headers), range(49)))
            blocked.result(20)
        assert {status for status, _ in answers} <= {200, 503}
        assert max(seconds for _, seconds in answers) < time_limit_s
        wait_until(lambda: timed_me(client, headers)[0] == 200, within_s=1.0)

        def checked_out() -> str:
            return client.get("/metrics").text

        wait_until(lambda: 'database_pool_connections{pool="read",state="checked_out"} 0.0' in checked_out())
        assert api.get("/health/database").json()["details"]["checked_out"] == 0


async def _lock_users(url: str, seconds: float) -> None:
    """Hold the table of users so that every query of it waits, as a migration gone wrong would."""
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            await connection.execute("SELECT pg_sleep($1)", seconds)
    finally:
        await connection.close()


def test_F11_32_writers_on_sqlite_lose_none_of_their_registrations(
    sqlite_api: ApiProcess, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    took_s: list[float] = []

    async def write(client: httpx2.AsyncClient) -> Counter[int]:
        statuses: Counter[int] = Counter()
        for _ in range(REGISTRATIONS_EACH):
            start_s = time.monotonic()
            response = await client.post(f"{PREFIX}/auth/register", json=new_registration())
            took_s.append(time.monotonic() - start_s)
            statuses[response.status_code] += 1
        return statuses

    async def write_all() -> Counter[int]:
        limits = httpx2.Limits(max_connections=WRITERS)
        async with httpx2.AsyncClient(base_url=sqlite_api.url, timeout=60, limits=limits, trust_env=False) as client:
            return sum(await asyncio.gather(*(write(client) for _ in range(WRITERS))), Counter[int]())

    assert asyncio.run(write_all()) == {201: WRITERS * REGISTRATIONS_EACH}
    p99_ms = round(statistics.quantiles(took_s, n=100)[98] * 1000, 1)
    record_property("registration_p99_ms", p99_ms)
    print(f"registration with {WRITERS} writers: p99 {p99_ms} ms")
    with contextlib.closing(sqlite3.connect(tmp_path / "service.db")) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (WRITERS * REGISTRATIONS_EACH,)
    assert "database is locked" not in sqlite_api.log.read_text()


def test_F12_full_disk_is_503_and_corrupts_nothing(sqlite_api: ApiProcess, tmp_path: Path) -> None:
    database = tmp_path / "service.db"
    with sqlite_api.client() as client:
        assert register(client).status_code == 201
        # A limit on the size of files is to SQLite what a full disk is.
        soft, hard = resource.prlimit(sqlite_api.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(sqlite_api.pid, resource.RLIMIT_FSIZE, (4096, hard))
        try:
            refused: list[httpx2.Response] = []
            wait_until(lambda: refused.append(register(client)) or refused[-1].status_code != 201)  # type: ignore[func-returns-value]
            assert refused[-1].status_code == 503, refused[-1].text
            assert "retry-after" in refused[-1].headers
        finally:
            resource.prlimit(sqlite_api.pid, resource.RLIMIT_FSIZE, (soft, hard))
        wait_until(lambda: register(client).status_code == 201, within_s=5)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        answer: Any = connection.execute("PRAGMA integrity_check").fetchone()
    assert answer == ("ok",)
