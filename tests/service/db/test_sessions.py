"""Database sessions: what is committed when, what reads see, and that writers wait in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fastapi import APIRouter
from sqlalchemy import delete, func, insert, select, text

from inference_core.auth.models import Role, User
from inference_core.core.db.after_commit import after_commit
from inference_core.core.db.base import utc_now
from inference_core.core.db.engine import Database, DatabaseUnavailableError, WriteInReadSessionError
from inference_core.core.dependencies import SessionDep
from inference_core.core.exceptions import ConflictError
from tests.service.conftest import running
from tests.support.accounts import Api, new_name
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio


def user(name: str) -> User:
    return User(username=name, email=f"{name}@example.com", hashed_password="x")


async def exists(database: Database, name: str) -> bool:
    async with database.read() as session:
        return (await session.execute(select(func.count()).where(User.username == name))).scalar_one() == 1


@on_every_database
async def test_a_write_is_kept_on_success_and_undone_on_an_error(api: Api) -> None:
    database, kept, undone = api.state.database, new_name(), new_name()
    async with database.write() as session:
        session.add(user(kept))

    async def write_and_fail() -> None:
        async with database.write() as session:
            session.add(user(undone))
            await session.flush()
            raise ConflictError

    with pytest.raises(ConflictError):
        await write_and_fail()
    assert (await exists(database, kept), await exists(database, undone)) == (True, False)


@on_every_database
async def test_a_read_session_cannot_write(api: Api) -> None:
    name = new_name()
    async with api.state.database.read() as session:
        session.add(user(name))
        with pytest.raises(WriteInReadSessionError):
            await session.flush()
    assert not await exists(api.state.database, name)


@on_every_database
async def test_times_come_back_as_they_went_in(api: Api) -> None:
    before = utc_now()
    name = new_name()
    async with api.state.database.write() as session:
        session.add(user(name))
    async with api.state.database.read() as session:
        made = (await session.execute(select(User.created_at).where(User.username == name))).scalar_one()
    assert before <= made <= utc_now()
    assert made.utcoffset() is not None


@on_every_database
async def test_the_commit_is_done_before_the_answer_leaves(service_settings: Callable[..., Settings]) -> None:
    """What runs after the commit sees it, runs only then, and is done when the client has its answer."""
    router, seen = APIRouter(), list[tuple[str, bool]]()
    name, refused = new_name(), new_name()
    settings = service_settings()

    @router.post("/write/{username}")
    async def write(username: str, session: SessionDep) -> dict[str, str]:
        session.add(user(username))
        await session.flush()

        async def look() -> None:
            seen.append((username, await exists(api.state.database, username)))

        after_commit(session, look)
        if username == refused:
            raise ConflictError
        return {}

    async with running(application(settings, router), settings) as api:
        assert (await api.post(f"/write/{name}", {})).status_code == 200
        assert (await api.post(f"/write/{refused}", {})).status_code == 409
        assert seen == [(name, True)]
        assert not await exists(api.state.database, refused)


async def test_writers_of_two_processes_wait_for_each_other(service_settings: Callable[..., Settings]) -> None:
    """Two engines on one file, as two processes have them: transactions that read first and write later."""
    settings = service_settings()
    async with Database.open(settings) as one, Database.open(settings) as other:
        prefix = new_name()

        async def write(database: Database, number: int) -> None:
            async with database.write() as session:
                await session.execute(select(func.count()).select_from(User))
                session.add(user(f"{prefix}{number}"))

        await asyncio.gather(*(write((one, other)[number % 2], number) for number in range(40)))
        async with one.read() as session:
            stored = await session.execute(select(func.count()).where(User.username.startswith(prefix)))
        assert stored.scalar_one() == 40


async def test_sqlite_is_set_up_for_many_readers_and_one_writer(service_settings: Callable[..., Settings]) -> None:
    async with Database.open(service_settings(database_statement_timeout_s=3)) as database:
        async with database.write() as session:
            for pragma, value in {
                "journal_mode": "wal",
                "foreign_keys": 1,
                "synchronous": 1,
                "busy_timeout": 3000,
            }.items():
                assert (await session.execute(text(f"PRAGMA {pragma}"))).scalar_one() == value
        async with database.read() as session:
            assert (await session.execute(text("PRAGMA query_only"))).scalar_one() == 1


@on_every_database
async def test_a_full_pool_is_unavailable_after_its_timeout(service_settings: Callable[..., Settings]) -> None:
    settings = service_settings(database_pool_size=1, database_max_overflow=0, database_pool_timeout_s=0.2)
    async with Database.open(settings) as database, database.read() as holder:
        await holder.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailableError):
            async with database.read() as session:
                await session.execute(text("SELECT 1"))


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_a_slow_statement_is_unavailable_after_its_timeout(service_settings: Callable[..., Settings]) -> None:
    settings = service_settings(database_statement_timeout_s=0.3)
    sleep = "SELECT pg_sleep(20)" if settings.database_url.startswith("postgresql") else "SELECT SLEEP(20) FROM users"
    async with Database.open(settings) as database:
        async with database.write() as session:
            session.add(user(new_name()))
        with pytest.raises(DatabaseUnavailableError):
            async with database.read() as session:
                await session.execute(text(sleep))
        async with database.read() as session:
            assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_the_victim_of_a_deadlock_can_try_again(api: Api) -> None:
    names = sorted(new_name() for _ in range(2))
    async with api.state.database.write() as session:
        await session.execute(insert(Role), [{"name": name} for name in names])
    both_have_one = asyncio.Barrier(2)

    async def delete_in_order(first: str, second: str) -> None:
        async with api.state.database.write() as session:
            await session.execute(delete(Role).where(Role.name == first))
            await both_have_one.wait()
            await session.execute(delete(Role).where(Role.name == second))

    orders = (names, names[::-1])
    results = await asyncio.gather(*(delete_in_order(*order) for order in orders), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [DatabaseUnavailableError]
