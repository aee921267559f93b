"""F07-F09: connections that a server or the network ends, silences or makes useless, on PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomysql
import asyncpg
import httpx2
import pytest
from sqlalchemy.engine import make_url

from tests.service.faults.test_database_faults import KILL_CONNECTIONS, bearer, register
from tests.support.fault_proxy import FaultProxy, Toxic, fault_proxy
from tests.support.processes import wait_until
from tests.support.servers.databases import create_database
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

pytestmark = pytest.mark.full

STATEMENT_S = 1.0
CONNECTIONS = 8


@pytest.fixture(params=["postgresql", "mariadb"])
def server_database(request: pytest.FixtureRequest) -> str:
    return create_database(request.getfixturevalue(request.param), f"lost_{uuid4().hex[:8]}")


@pytest.fixture
def proxy(server_database: str) -> Iterator[FaultProxy]:
    with fault_proxy(make_url(server_database).port or 0) as proxy:
        yield proxy


@pytest.fixture
def api(tmp_path: Path, redis_url: str, server_database: str, proxy: FaultProxy) -> Iterator[ApiProcess]:
    """The service behind the proxy, on the event loop and with the pool that users have."""
    url = make_url(server_database).set(port=proxy.port).render_as_string(hide_password=False)
    env = service_env(tmp_path, redis_url, DATABASE_URL=url, DATABASE_STATEMENT_TIMEOUT_S=str(STATEMENT_S))
    with api_process(tmp_path, env) as api:
        yield api


def ask(url: str, *statements: str) -> list[Any]:
    """Run statements past the proxy; the rows of the last."""
    return asyncio.run(_ask(make_url(url), statements))


async def _ask(url: Any, statements: tuple[str, ...]) -> list[Any]:
    if url.get_backend_name() == "postgresql":
        connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            return [await connection.fetch(statement) for statement in statements][-1]
        finally:
            await connection.close()
    options = {"host": url.host, "port": url.port, "user": "test", "password": "test", "db": url.database}
    connection = await aiomysql.connect(**options, autocommit=True)
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
            return list(await cursor.fetchall())
    finally:
        connection.close()


def kill_connections(url: str) -> int:
    """End every connection to the database of a URL, but one's own; how many."""
    if "postgresql" in url:
        return len(ask(url, KILL_CONNECTIONS))
    database = make_url(url).database
    found = ask(
        url,
        f"SELECT id FROM information_schema.processlist WHERE db = '{database}' AND id <> CONNECTION_ID()",
    )
    for (number,) in found:
        with suppress(aiomysql.OperationalError):  # it has ended by itself
            ask(url, f"KILL {number}")
    return len(found)


def fill_pool(api: ApiProcess, headers: dict[str, str]) -> None:
    """Have as many connections as may be idle, of every kind."""
    with ThreadPoolExecutor(CONNECTIONS) as pool, api.client() as client:
        list(pool.map(lambda _: register(client), range(CONNECTIONS)))
        list(pool.map(lambda _: client.get(f"{PREFIX}/auth/me", headers=headers), range(2 * CONNECTIONS)))
        list(pool.map(lambda _: client.get(f"{PREFIX}/admin/users", headers=headers), range(2 * CONNECTIONS)))


def superuser(api: ApiProcess, url: str) -> dict[str, str]:
    with api.client() as client:
        headers = bearer(client)
    ask(url, "UPDATE users SET is_superuser = true")
    return headers


def one_after_the_other(client: httpx2.Client, headers: dict[str, str]) -> tuple[Counter[int], Counter[int]]:
    """Reads and writes, more than there were connections; how often each status came."""
    reads: Counter[int] = Counter()
    writes: Counter[int] = Counter()
    for _ in range(2 * CONNECTIONS):
        reads[client.get(f"{PREFIX}/auth/me", headers=headers).status_code] += 1
        reads[client.get(f"{PREFIX}/admin/users", headers=headers).status_code] += 1
        writes[register(client).status_code] += 1
    return reads, writes


def test_F09_idle_connections_that_the_server_has_closed_fail_no_request(api: ApiProcess, server_database: str) -> None:
    headers = superuser(api, server_database)
    with api.client() as client:
        for _ in range(2):
            fill_pool(api, headers)
            assert kill_connections(server_database) >= 2
            reads, writes = one_after_the_other(client, headers)
            assert set(reads) == {200}
            assert set(writes) == {201}


def test_F09_connections_killed_under_load_fail_no_read(api: ApiProcess, server_database: str) -> None:
    headers = superuser(api, server_database)
    reads: Counter[int] = Counter()
    writes: Counter[int] = Counter()
    stopped = threading.Event()

    def keep(counts: Counter[int], send: Callable[[httpx2.Client], httpx2.Response]) -> None:
        with api.client() as own:
            while not stopped.is_set():
                counts[send(own).status_code] += 1

    jobs = [
        lambda: keep(reads, lambda client: client.get(f"{PREFIX}/auth/me", headers=headers)),
        lambda: keep(reads, lambda client: client.get(f"{PREFIX}/admin/users", headers=headers)),
        lambda: keep(writes, register),
    ]
    killed = 0
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(job) for job in jobs]
        try:
            for _ in range(5):
                before = reads.total(), writes.total()
                wait_until(lambda before=before: reads.total() > before[0] + 10 and writes.total() > before[1] + 2)  # type: ignore[misc]
                killed += kill_connections(server_database)
        finally:
            stopped.set()
        for future in running:
            future.result(20)
    assert killed >= 5
    assert set(reads) == {200}, reads
    assert set(writes) <= {201, 503}, writes
    assert writes[503] <= killed


def test_F09_of_connections_that_break_one_by_one_none_fails_a_read(
    api: ApiProcess, proxy: FaultProxy, server_database: str
) -> None:
    headers = superuser(api, server_database)
    with api.client() as client:
        for path in ("/auth/me", "/admin/users"):
            fill_pool(api, headers)
            proxy.condemn()
            statuses = Counter(client.get(f"{PREFIX}{path}", headers=headers).status_code for _ in range(CONNECTIONS))
            assert statuses == {200: CONNECTIONS}, path


def test_F07_a_restarted_server_is_found_again_by_the_first_read(
    api: ApiProcess, proxy: FaultProxy, server_database: str
) -> None:
    headers = superuser(api, server_database)
    fill_pool(api, headers)
    proxy.add(Toxic("down"))
    with api.client() as client:
        assert client.get(f"{PREFIX}/auth/me", headers=headers).status_code == 503
        assert register(client).status_code == 503
        proxy.clear()
        reads, writes = one_after_the_other(client, headers)
    assert set(reads) == {200}
    assert set(writes) == {201}


def test_F08_connections_that_a_network_has_forgotten_cost_one_request(
    api: ApiProcess, proxy: FaultProxy, server_database: str
) -> None:
    headers = superuser(api, server_database)
    with api.client() as client:
        # Whichever kind of connection is the first that is found silent.
        for first in (
            lambda: client.get(f"{PREFIX}/auth/me", headers=headers),
            lambda: client.get(f"{PREFIX}/admin/users", headers=headers),
            lambda: register(client),
        ):
            fill_pool(api, headers)
            proxy.forget()
            found = Counter([first().status_code])
            reads, writes = one_after_the_other(client, headers)
            found += reads + writes
            assert set(found) <= {200, 201, 503}
            assert found[503] <= 1


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """The server as a demoted primary is: its connections stay, and nothing can be written."""
    postgresql = "postgresql" in url
    on, off = (
        (
            ("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"),
            ("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"),
        )
        if postgresql
        else (("SET GLOBAL read_only = 1",), ("SET GLOBAL read_only = 0",))
    )
    server = make_url(url).set(database="postgres" if postgresql else None).render_as_string(hide_password=False)
    ask(server, *on)
    try:
        yield
    finally:
        ask(server, *off)


def test_F09_a_demoted_primary_is_503_and_its_connections_are_dropped(
    tmp_path: Path, redis_url: str, server_database: str
) -> None:
    url = make_url(server_database)
    service_env(tmp_path, redis_url, DATABASE_URL=server_database)
    if url.get_backend_name() == "mysql":
        # Whoever may do everything may write to a read-only server, too.
        ask(server_database, f"CREATE USER '{url.database}' IDENTIFIED BY 'test'")
        ask(server_database, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO '{url.database}'")
        url = url.set(username=url.database)
    with fault_proxy(url.port or 0) as proxy:
        behind = url.set(port=proxy.port).render_as_string(hide_password=False)
        env = {**service_env(tmp_path, redis_url), "DATABASE_URL": behind}
        with api_process(tmp_path, env) as api, api.client() as client:
            headers = bearer(client)
            with read_only(server_database):
                refused: list[int] = []
                wait_until(lambda: refused.append(register(client).status_code) or refused[-1] != 201)  # type: ignore[func-returns-value]
                assert set(refused) <= {201, 503}
                before = proxy.accepted
                assert [register(client).status_code for _ in range(3)] == [503] * 3
                assert proxy.accepted >= before + 3  # each of them asked a server that was looked for anew
                assert client.get(f"{PREFIX}/auth/me", headers=headers).status_code == 200
            wait_until(lambda: register(client).status_code == 201)
            assert client.get(f"{PREFIX}/auth/me", headers=headers).status_code == 200


@pytest.mark.parametrize("server_database", ["postgresql"], indirect=True)
def test_F09_a_column_whose_type_a_migration_changes_fails_no_read(api: ApiProcess, server_database: str) -> None:
    headers = superuser(api, server_database)
    reads: Counter[int] = Counter()
    writes: Counter[int] = Counter()
    with api.client() as client:
        for length in (150, 160, 170):
            fill_pool(api, headers)
            ask(server_database, f"ALTER TABLE users ALTER COLUMN first_name TYPE varchar({length})")
            found = one_after_the_other(client, headers)
            reads += found[0]
            writes += found[1]
            for _ in range(CONNECTIONS):
                status = client.put(f"{PREFIX}/auth/me", headers=headers, json={"first_name": "x"}).status_code
                writes[status] += 1
    assert set(reads) == {200}, reads
    assert set(writes) <= {200, 201, 503}, writes
    assert writes[503] <= 3 * CONNECTIONS
