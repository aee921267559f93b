"""What requests wait for, as metrics: connections, slots, statements and Redis."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from contextvars import Context
from typing import Any

import pytest
from fastapi import APIRouter
from redis.exceptions import RedisError
from sqlalchemy import Integer, bindparam, create_engine, literal, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from inference_core.core.db.point_read import PointQuery, PointReader, sqlite_points
from inference_core.core.db.statements import time_statements
from inference_core.core.logging import request_id_var
from inference_core.core.queue.sender import BrokerUnavailableError, TaskSender
from inference_core.core.redis.client import open_client
from inference_core.core.state import StateDep
from tests.service.conftest import AppFactory, running
from tests.service.telemetry.scrape import scrape
from tests.support.accounts import Api
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings, application, service

pytestmark = pytest.mark.anyio

POOL = "database_pool_connections"
WAIT = "database_pool_wait_seconds"
STATEMENT = "database_statement_seconds"
REDIS = "redis_operation_seconds"
SLOT = "http_request_wait_seconds"
ONE = select(bindparam("x", type_=Integer))


async def in_background(work: Coroutine[Any, Any, Any]) -> None:
    """Do the work outside of any request. Requests over ASGI share the context of the test."""
    await asyncio.create_task(work, context=Context())


def state(samples: dict[str, float], pool: str) -> tuple[float, float, float]:
    """Return the used, open and possible connections."""
    used, opened, limit = (
        samples[f'{POOL}{{pool="{pool}",state="{state}"}}'] for state in ("checked_out", "open", "limit")
    )
    return used, opened, limit


@on_every_database
async def test_connections_in_use_include_the_overflow_and_reach_the_limit(start_app: AppFactory) -> None:
    async with start_app(database_pool_size=2, database_max_overflow=1, database_pool_timeout_s=0.1) as api:
        engine = api.state.database.engine
        async with AsyncExitStack() as stack:
            for number in range(1, 4):
                await stack.enter_async_context(engine.connect())
                assert state(await scrape(api), "read") == (number, number, 3)
            before = await scrape(api)
            with pytest.raises(PoolTimeoutError):
                await stack.enter_async_context(engine.connect())
            after = await scrape(api)
        assert state(await scrape(api), "read") == (0, 2, 3)  # the overflow is closed
    assert after[f'{WAIT}_count{{pool="read"}}'] - before[f'{WAIT}_count{{pool="read"}}'] == 1
    assert after[f'{WAIT}_sum{{pool="read"}}'] - before[f'{WAIT}_sum{{pool="read"}}'] >= 0.1


async def test_the_writing_connection_of_sqlite_is_one_of_one(api: Api) -> None:
    async with api.state.database.write_engine.connect():
        assert state(await scrape(api), "write") == (1, 1, 1)


class SlowConnection:
    """A connection whose reads end when the test allows it, or fail."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self, query: PointQuery, parameters: list[Any]) -> tuple[int]:
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return (1,)

    def close(self) -> None:
        pass


class SlowReader(PointReader):
    """A reader of one connection at a time."""

    def __init__(self) -> None:
        url = make_url("sqlite+aiosqlite://")
        settings = Settings(_env_file=None, database_pool_size=1, database_max_overflow=0)
        super().__init__(url.get_dialect()(), sqlite_points(url), settings)
        self.connection = SlowConnection()
        self.waits: list[float] = []
        self.statements: list[float] = []
        self.on_wait, self.on_statement = self.waits.append, self.statements.append

    async def _open(self) -> Any:
        return self.connection


async def test_point_reads_count_their_connections_waits_and_statements() -> None:
    reader = SlowReader()
    assert (reader.in_use, reader.open_connections, reader.limit) == (0, 0, 1)
    reads = [asyncio.create_task(reader.one(ONE, {"x": 1})) for _ in range(3)]
    await asyncio.sleep(0)
    assert (reader.in_use, reader.open_connections, reader.limit) == (1, 1, 1)
    assert reader.waits == []
    reader.connection.go_on.set()
    assert await asyncio.gather(*reads) == [(1,)] * 3
    assert (reader.in_use, reader.open_connections) == (0, 1)
    assert len(reader.waits) == 2  # the first read found a free connection
    assert len(reader.statements) == 3


async def test_a_point_read_that_fails_is_counted_and_leaves_no_connection() -> None:
    reader = SlowReader()
    reader.connection.error = sqlite3.OperationalError("broken")
    reader.connection.go_on.set()
    with pytest.raises(sqlite3.OperationalError):
        await reader.one(ONE, {"x": 1})
    assert (reader.in_use, reader.open_connections) == (0, 0)
    assert len(reader.statements) == 2  # it was tried again


async def test_a_new_connection_for_point_reads_counts_as_a_wait(api: Api) -> None:
    assert api.state.database.points is not None
    api.state.database.points.close()
    before = await scrape(api)
    await api.state.database.one(ONE, {"x": 1})
    after = await scrape(api)
    assert after[f'{WAIT}_count{{pool="point"}}'] - before[f'{WAIT}_count{{pool="point"}}'] == 1
    assert state(after, "point") == (0, 1, 15)


@on_every_database
async def test_statements_of_requests_are_counted_and_those_of_the_background_are_not(api: Api) -> None:
    async def statements() -> float:
        samples = await scrape(api)
        return sum(value for name, value in samples.items() if name.startswith(f"{STATEMENT}_count"))

    async def read() -> None:
        async with api.state.database.read() as session:
            await session.execute(select(literal(1)))

    before = await statements()
    await in_background(read())
    assert await statements() == before
    await api.register()
    assert await statements() >= before + 2


def test_statements_and_commits_are_timed_also_if_they_fail() -> None:
    engine, times = create_engine("sqlite://"), list[float]()
    with engine.connect() as connection:
        time_statements(engine.dialect, times.append)
        connection.execute(text("CREATE TABLE notes (id INTEGER)"))
        connection.execute(text("INSERT INTO notes VALUES (:id)"), [{"id": 1}, {"id": 2}])
        assert len(times) == 2
        connection.commit()
        assert len(times) == 3
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM missing"))
        assert len(times) == 4
    assert all(seconds >= 0 for seconds in times)
    engine.dispose()


async def test_redis_operations_of_requests_are_counted_and_probes_are_not(api: Api) -> None:
    user = await api.register()
    before = await scrape(api)
    await in_background(api.state.redis.client.ping())
    assert (await scrape(api))[f"{REDIS}_count"] == before[f"{REDIS}_count"]
    await api.login(user)
    after = await scrape(api)
    assert after[f"{REDIS}_count"] > before[f"{REDIS}_count"]
    assert after[f"{REDIS}_sum"] > before[f"{REDIS}_sum"]


async def test_a_pipeline_is_one_redis_operation_and_a_failed_command_counts(redis_url: str) -> None:
    settings, times = Settings(_env_file=None, redis_connect_timeout_s=0.2), list[float]()
    async with open_client(settings, redis_url, on_reply=times.append) as client:
        await client.ping()
        pipeline = client.pipeline(transaction=True)
        pipeline.time()
        pipeline.time()
        assert len(times) == 1
        await pipeline.execute()
        assert len(times) == 2
    async with open_client(settings, "redis://127.0.0.1:1/0", on_reply=times.append) as client:
        with pytest.raises(RedisError):
            await client.ping()
    assert len(times) == 3


async def test_sent_messages_of_requests_are_counted(api: Api) -> None:
    user = await api.register()
    before = await scrape(api)
    response = await api.client.post("/api/v1/auth/forgot-password", json={"email": user.email})
    assert response.is_success
    after = await scrape(api)
    assert after["task_send_seconds_count"] - before["task_send_seconds_count"] == 1
    assert after["task_send_seconds_sum"] > before["task_send_seconds_sum"]


async def test_a_message_that_cannot_be_sent_is_counted() -> None:
    times = list[float]()
    settings = Settings(_env_file=None, redis_url="redis://127.0.0.1:1/0", redis_connect_timeout_s=0.2)
    async with TaskSender.open(service, settings, times.append) as sender:
        with pytest.raises(BrokerUnavailableError):
            await sender.send("test.add", 1, 2)
    assert len(times) == 1


async def test_each_password_hash_counts_its_wait(api: Api) -> None:
    name = "password_hash_wait_seconds_count"
    before = (await scrape(api))[name]
    user = await api.register()
    await api.login(user)
    assert (await scrape(api))[name] - before == 2


@pytest.fixture
async def held(service_settings: Callable[..., Settings]) -> AsyncIterator[tuple[Api, asyncio.Event]]:
    """An application with one slot and one place to wait, and the event that ends its slow route."""
    router, go_on = APIRouter(), asyncio.Event()

    @router.get("/held")
    async def wait(_: StateDep) -> str:
        await go_on.wait()
        return request_id_var.get()

    settings = service_settings(max_concurrent_requests=1, max_queued_requests=1)
    async with running(application(settings, router), settings) as api:
        yield api, go_on


async def test_requests_that_wait_for_a_slot_are_counted(held: tuple[Api, asyncio.Event]) -> None:
    api, go_on = held
    first, second = (asyncio.create_task(api.client.get("/api/v1/held")) for _ in range(2))
    async with asyncio.timeout(10):
        while (await scrape(api))["http_requests_waiting"] != 1:  # noqa: ASYNC110  # until the second one waits
            await asyncio.sleep(0.005)
    assert (await scrape(api))[f"{SLOT}_count"] == 0
    assert (await api.client.get("/api/v1/held")).status_code == 503  # no place to wait
    assert (await scrape(api))[f"{SLOT}_count"] == 1
    go_on.set()
    assert [(await task).status_code for task in (first, second)] == [200, 200]
    samples = await scrape(api)
    assert samples[f"{SLOT}_count"] == 2  # the first one found a free slot
    assert samples[f"{SLOT}_sum"] > 0
