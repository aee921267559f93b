"""The application in the test's own process: a migrated database, a real Redis, driven over ASGI."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from inference_core.app.application import create_application
from tests.support.accounts import Api
from tests.support.servers.databases import create_database
from tests.support.servers.mariadb import mariadb_server
from tests.support.servers.postgresql import postgresql_server
from tests.support.servers.sentinels import SentinelGroup, sentinel_group
from tests.support.servers.sqlite import migrate
from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail
from tests.support.settings import Settings

# All tests of a process call from one network; those that are about its limits set them.
UNLIMITED = dict.fromkeys(
    ("login_failures_per_network", "passwords_per_network_per_minute", "mails_per_network_per_minute"), 100_000
)
AppFactory = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    """Two Redis servers and three Sentinels."""
    with sentinel_group(tmp_path_factory.mktemp("group")) as group:
        yield group


@pytest.fixture
def group(sentinels: SentinelGroup) -> Iterator[SentinelGroup]:
    """The same, with all servers running again after the test."""
    yield sentinels
    sentinels.heal()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server, private to this test process."""
    try:
        with postgresql_server() as url:
            yield url
    except ServerUnavailableError as error:
        skip_or_fail(error)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """A MariaDB server, private to this test process."""
    try:
        with mariadb_server() as url:
            yield url
    except ServerUnavailableError as error:
        skip_or_fail(error)


@pytest.fixture(scope="session")
def databases() -> dict[str, str]:
    """What `database_url` made, by kind: pytest sets it up anew each time that its parameter changes."""
    return {}


@pytest.fixture(scope="session")
def database_url(
    request: pytest.FixtureRequest, databases: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A migrated database, SQLite unless a parameter names another; tests share it and use accounts of their own."""
    kind = getattr(request, "param", "sqlite")
    if kind not in databases:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'service.db'}"
        else:
            url = create_database(request.getfixturevalue(kind), "service")
        migrate(url)
        databases[kind] = url
    return databases[kind]


@pytest.fixture
def service_settings(tmp_path: Path, redis_url: str, database_url: str) -> Callable[..., Settings]:
    """Makes settings of a testing service whose hashing is cheap; any field may be given."""

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "environment": "testing",
            "database_url": database_url,
            "redis_url": redis_url,
            "mail_outbox_dir": tmp_path / "outbox",
            "argon2_memory_kib": 64,
            "argon2_time_cost": 1,
            "failed_login_min_s": 0,
            **UNLIMITED,
        }
        return Settings(_env_file=None, **(values | changes))

    return make


@asynccontextmanager
async def running(app: FastAPI, settings: Settings) -> AsyncIterator[Api]:
    """The application between its start and its stop."""
    # Starting makes the OpenAPI document, for two thirds of the time. Here the first test that asks for it does.
    app.openapi_schema = {}
    async with app.router.lifespan_context(app) as state:
        app.openapi_schema = None
        served = _with_state(app, state)
        transport = httpx2.ASGITransport(app=served, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield Api(client=client, app=served, settings=settings, state=state["app"])
    await sqlite_threads_end()


async def sqlite_threads_end() -> None:
    """Wait for the threads of SQLite connections that were called off while they opened: they report to this loop."""
    async with asyncio.timeout(5):
        while any("_connection_worker_thread" in thread.name for thread in threading.enumerate()):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def _with_state(app: FastAPI, state: Any) -> Any:
    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return with_state


@pytest.fixture
def start_app(service_settings: Callable[..., Settings]) -> AppFactory:
    """Starts applications with settings of the test's choice."""

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Api]:
        settings = service_settings(**changes)
        async with running(create_application(settings=settings), settings) as api:
            yield api

    return start


@pytest.fixture
async def api(start_app: AppFactory) -> AsyncIterator[Api]:
    """An application with the defaults."""
    async with start_app() as api:
        yield api
