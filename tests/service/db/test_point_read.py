"""Point reads: the same values as a session gives, across a server's restart, and bounded in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Boolean, bindparam, func, literal_column, select, table, text, true

from inference_core.auth.repository import BY_LOGIN, BY_TOKEN, AccountReads
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from tests.service.conftest import sqlite_threads_end
from tests.support.accounts import Api
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

ON_SERVER = select(text("pg_sleep(20)")).where(bindparam("yes", type_=Boolean) == true())


@on_every_database
async def test_it_gives_what_a_session_gives(api: Api) -> None:
    user = await api.register(first_name="Ünïcödé 🔑")
    async with api.state.database.read() as session:
        by_session = (await session.execute(BY_LOGIN, {"login": user.username})).one()
    assert await api.state.database.one(BY_LOGIN, {"login": user.email}) == tuple(by_session)
    assert await api.state.database.one(BY_LOGIN, {"login": "nobody"}) is None
    assert await api.state.database.one(BY_TOKEN, {"user_id": by_session.id, "session_id": "x"}) == (*by_session, None)


@on_every_database
async def test_many_at_once_are_each_answered_with_their_own(api: Api) -> None:
    users = [await api.register() for _ in range(5)]
    reads = AccountReads(api.state.database)
    found = await asyncio.gather(*(reads.by_login(user.username) for user in users * 10))
    assert [account.username for account in found if account] == [user.username for user in users * 10]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_connections_that_were_cut_are_replaced_unnoticed(api: Api) -> None:
    user = await api.register()
    reads = AccountReads(api.state.database)
    await asyncio.gather(*(reads.by_login(user.username) for _ in range(8)))
    theirs = literal_column("query").like("%FROM users%") & (literal_column("pid") != func.pg_backend_pid())
    cut = select(func.pg_terminate_backend(literal_column("pid"))).select_from(table("pg_stat_activity")).where(theirs)
    async with api.state.database.write() as session:
        assert len((await session.execute(cut)).all()) >= 1
    assert await reads.by_login(user.username) is not None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_slow_answer_is_unavailable_and_the_next_one_right(service_settings: Callable[..., Settings]) -> None:
    async with Database.open(service_settings(database_statement_timeout_s=0.3)) as database:
        with pytest.raises(DatabaseUnavailableError):
            await database.one(ON_SERVER, {"yes": True})
        assert await database.one(BY_LOGIN, {"login": "nobody"}) is None


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/x", "mysql://x@127.0.0.1:1/x", "sqlite:////proc/none.db"])
async def test_a_database_that_is_not_there_is_unavailable(service_settings: Callable[..., Settings], url: str) -> None:
    async with Database.open(service_settings(database_url=url)) as database:
        with pytest.raises(DatabaseUnavailableError):
            await database.one(BY_LOGIN, {"login": "nobody"})
    await sqlite_threads_end()
