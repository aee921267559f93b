"""PgBouncer between the service and PostgreSQL, in both pool modes and without settings for the service."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Boolean, bindparam, literal_column, select, text, true
from sqlalchemy.engine import make_url

from inference_core.auth.repository import BY_LOGIN
from inference_core.core.db import engine
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.run import LOCK_NUMBER, current, upgrade
from inference_core.core.db.postgresql import PostgresqlConnector, is_pooled
from tests.service.conftest import AppFactory
from tests.support.accounts import new_registration
from tests.support.logs import log_lines_of
from tests.support.servers.databases import create_database
from tests.support.servers.pgbouncer import pgbouncer
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.service import PREFIX, api_process, service_env, worker_process
from tests.support.settings import Settings, service

pytestmark = [pytest.mark.anyio, pytest.mark.full]

# In session mode, each connection of the service occupies one of these, in transaction mode only during a transaction.
SERVER_CONNECTIONS = {"session": 12, "transaction": 2}
SMALL = {"database_pool_size": 4, "database_max_overflow": 0, "database_pool_timeout_s": 20}
SLEEP = select(text("pg_sleep(30)")).where(bindparam("yes", type_=Boolean) == true())
LIMITS = select(*(literal_column(f"current_setting('{name}')") for name in ("statement_timeout", "jit", "timezone")))


@pytest.fixture(scope="module", params=SERVER_CONNECTIONS)
def pool_mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server_url(postgresql: str) -> str:
    """An empty database, without the pooler."""
    return create_database(postgresql, f"pooled_{secrets.token_hex(4)}")


@pytest.fixture(scope="module")
def pooled_url(server_url: str, pool_mode: str) -> Iterator[str]:
    """The database through PgBouncer, through which it was migrated."""
    try:
        with pgbouncer(server_url, pool_mode, SERVER_CONNECTIONS[pool_mode]) as url:
            upgrade(service, Settings(_env_file=None, database_url=url))
            yield url
    except ServerUnavailableError as error:
        skip_or_fail(error)


@pytest.fixture
def pooled_settings(service_settings: Callable[..., Settings], pooled_url: str) -> Callable[..., Settings]:
    return lambda **changes: service_settings(**({"database_url": pooled_url} | SMALL | changes))


async def ask(url: str, question: str) -> list[Any]:
    """The answer that a client without any limits gets."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, statement_cache_size=0)
    try:
        return [tuple(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()


OF_THE_SERVICE = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_requests_in_parallel_share_few_server_connections(
    start_app: AppFactory, pooled_url: str, server_url: str, pool_mode: str
) -> None:
    async with start_app(database_url=pooled_url, **SMALL) as api:
        users = [await api.register() for _ in range(4)]
        bearers = [(await api.login(user)).bearer for user in users]

        async def use(index: int) -> set[tuple[int, str]]:
            user, bearer = users[index % 4], bearers[index % 4]
            changed = await api.client.put("/api/v1/auth/me", json={"first_name": f"n{index}"}, headers=bearer)
            read = await api.client.get("/api/v1/auth/me", headers=bearer)
            assert read.json().get("username") == user.username
            return {(changed.status_code, user.id), (read.status_code, read.json()["id"])}

        answers = await asyncio.gather(*(use(index) for index in range(40)))
        assert set().union(*answers) == {(200, user.id) for user in users}
        assert (await api.client.get("/api/v1/health/database")).status_code == 200
        connections = await ask(server_url, f"SELECT count(*) {OF_THE_SERVICE}")
        assert connections[0][0] <= SERVER_CONNECTIONS[pool_mode]


async def test_each_kind_of_access_has_the_limits_and_leaves_none_behind(
    pooled_settings: Callable[..., Settings], pooled_url: str, server_url: str
) -> None:
    limits = ("700ms", "off", "UTC")
    async with Database.open(pooled_settings(database_statement_timeout_s=0.7)) as database:
        async with database.write() as session:
            assert tuple((await session.execute(LIMITS)).one()) == limits
        async with database.read() as session:
            assert tuple((await session.execute(LIMITS)).one()) == limits
        assert await database.one(LIMITS, {}) == limits
        with pytest.raises(DatabaseUnavailableError):
            async with database.write() as session:
                await session.execute(SLEEP, {"yes": True})
        with pytest.raises(DatabaseUnavailableError):
            async with database.read() as session:
                await session.execute(SLEEP, {"yes": True})
        with pytest.raises(DatabaseUnavailableError):
            await database.one(SLEEP, {"yes": True})
        # The server itself has ended them.
        assert await ask(server_url, f"SELECT query {OF_THE_SERVICE} AND state = 'active'") == []
        assert await database.one(BY_LOGIN, {"login": "nobody"}) is None
    assert {limit for (limit,) in await asyncio.gather(*(first(pooled_url) for _ in range(4)))} == {"0"}


async def first(url: str) -> Any:
    (row,) = await ask(url, "SELECT current_setting('statement_timeout') FROM pg_sleep(0.05)")
    return row


async def test_a_request_that_takes_too_long_gets_503(start_app: AppFactory, pooled_url: str, server_url: str) -> None:
    async with start_app(database_url=pooled_url, database_statement_timeout_s=0.7, **SMALL) as api:
        user = await api.register()
        bearer = (await api.login(user)).bearer
        plain = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
        locking = await asyncpg.connect(plain)
        try:
            async with locking.transaction():
                await locking.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
                write = api.client.put("/api/v1/auth/me", json={"first_name": "x"}, headers=bearer)
                answers = await asyncio.gather(write, api.client.get("/api/v1/auth/me", headers=bearer))
        finally:
            await locking.close()
        assert [answer.status_code for answer in answers] == [503, 503]
        assert {answer.json()["code"] for answer in answers} == {"database_unavailable"}
        assert (await api.client.get("/api/v1/auth/me", headers=bearer)).status_code == 200


# In session mode, a connection of the service has its server connection from its start.
@pytest.mark.parametrize("pool_mode", ["transaction"], indirect=True)
async def test_the_wait_for_a_server_connection_is_bounded_and_drops_no_idle_connection(
    pooled_settings: Callable[..., Settings], pooled_url: str, pool_mode: str
) -> None:
    plain = make_url(pooled_url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(pooled_settings(database_pool_timeout_s=0.5)))
        assert database.points is not None
        await asyncio.gather(*(database.one(BY_LOGIN, {"login": "nobody"}) for _ in range(3)))
        kept = database.points.open_connections
        for _ in range(SERVER_CONNECTIONS[pool_mode]):
            other = await asyncpg.connect(plain, statement_cache_size=0)
            stack.push_async_callback(other.close)
            await other.execute("BEGIN")
        with pytest.raises(DatabaseUnavailableError):
            async with database.write() as session:
                await session.execute(LIMITS)
        assert database.points.open_connections == kept
        with pytest.raises(DatabaseUnavailableError):
            await database.one(BY_LOGIN, {"login": "nobody"})


async def test_server_connections_that_were_cut_are_replaced(
    pooled_settings: Callable[..., Settings], server_url: str
) -> None:
    async with Database.open(pooled_settings()) as database:
        assert await database.one(BY_LOGIN, {"login": "nobody"}) is None
        assert await ask(server_url, f"SELECT pg_terminate_backend(pid) {OF_THE_SERVICE}")
        async with asyncio.timeout(60):
            while not await reads(database):  # PgBouncer may lend connections whose end it has not noticed yet
                pass


async def reads(database: Database) -> bool:
    try:
        assert await database.one(BY_LOGIN, {"login": "nobody"}) is None
        async with database.read() as session:
            assert (await session.execute(BY_LOGIN, {"login": "nobody"})).one_or_none() is None
    except DatabaseUnavailableError:
        return False
    return True


async def test_a_migration_waits_for_another_one(
    pooled_settings: Callable[..., Settings], pooled_url: str, server_url: str
) -> None:
    plain = make_url(pooled_url).set(drivername="postgresql").render_as_string(hide_password=False)
    other = await asyncpg.connect(plain, statement_cache_size=0)
    try:
        async with other.transaction():
            await other.execute(f"SELECT pg_advisory_xact_lock({LOCK_NUMBER})")
            migrating = asyncio.create_task(asyncio.to_thread(upgrade, service, pooled_settings()))
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            async with asyncio.timeout(60):
                while not await ask(server_url, waiting):
                    assert not migrating.done()
        await migrating
    finally:
        await other.close()
    assert await asyncio.to_thread(current, service, pooled_settings())


async def test_a_parameter_that_the_pooler_refuses_is_named_in_one_line(pooled_url: str) -> None:
    settings = Settings(_env_file=None, database_url=f"{pooled_url}?options=-csearch_path%3Dother")
    with pytest.raises(MigrationError) as raised:
        await asyncio.to_thread(upgrade, service, settings)
    assert "\n" not in str(raised.value)
    assert "unsupported startup parameter: options" in str(raised.value)


# In session mode, prepared statements last as long as the connection.
@pytest.mark.parametrize("pool_mode", ["transaction"], indirect=True)
async def test_a_pooler_that_is_not_recognised_is_told_with_the_parameter_that_declares_it(
    pooled_settings: Callable[..., Settings],
    pooled_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = log_lines_of(engine, monkeypatch)

    async def taken_for_a_server(*_: object) -> bool:
        return True

    monkeypatch.setattr(PostgresqlConnector, "_set_session_limits", taken_for_a_server)
    async with Database.open(pooled_settings()) as database:
        await database.one(BY_LOGIN, {"login": "nobody"})
        plain = make_url(pooled_url).set(drivername="postgresql").render_as_string(hide_password=False)
        other = await asyncpg.connect(plain, statement_cache_size=0)
        try:
            await other.execute("BEGIN")  # PgBouncer lends the server connection that was used last
            with pytest.raises(DatabaseUnavailableError):
                await database.one(BY_LOGIN, {"login": "nobody"})
        finally:
            await other.close()
    assert "pgbouncer=true" in logged[-1]["advice"]
    assert "\n" not in logged[-1]["reason"]


async def test_a_declared_pooler_is_not_looked_for(pooled_settings: Callable[..., Settings], pooled_url: str) -> None:
    settings = pooled_settings(database_url=f"{pooled_url}?pgbouncer=true")
    connector = PostgresqlConnector.of(make_url(settings.database_url), settings)
    assert connector.through_pooler
    connection = await connector.connect()
    assert is_pooled(connection)
    connection.terminate()


def test_the_processes_of_a_service_work_through_it(tmp_path: Path, redis_url: str, pooled_url: str) -> None:
    env = service_env(tmp_path, redis_url, DATABASE_URL=pooled_url, DATABASE_POOL_SIZE="2", DATABASE_MAX_OVERFLOW="0")
    with worker_process(tmp_path, env) as worker, api_process(tmp_path, env) as api, api.client() as client:
        account = new_registration()
        assert client.post(f"{PREFIX}/auth/register", json=account).status_code == 201
        login = {"username": account["username"], "password": account["password"]}
        token = client.post(f"{PREFIX}/auth/login", json=login).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        task = client.post(f"{PREFIX}/llm/explain", json={"question": "Why?"}).json()["task_id"]
        result = client.get(f"{PREFIX}/tasks/{task}/result?timeout=30", timeout=40).json()
        assert result["success"] is True, worker.tail()
        # The worker has stored it in the database.
        assert asyncio.run(ask(pooled_url, f"SELECT id FROM llm_charges WHERE id = '{task}'")) == [(task,)]


async def test_a_direct_connection_is_not_taken_for_a_pooler(
    service_settings: Callable[..., Settings], server_url: str
) -> None:
    settings = service_settings(database_url=server_url)
    connector = PostgresqlConnector.of(make_url(settings.database_url), settings)
    connection = await connector.connect()
    assert not is_pooled(connection)
    assert await connection.fetchval("SHOW statement_timeout") == "5s"
    connection.terminate()
