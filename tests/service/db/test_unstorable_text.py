"""A text that the database cannot store is the caller's error."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from inference_core.auth.models import Role, User
from inference_core.auth.repository import BY_LOGIN
from inference_core.core.db.engine import UnstorableTextError
from tests.support.accounts import Api

pytestmark = [pytest.mark.anyio, pytest.mark.full]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_nul_is_refused_wherever_it_reaches_postgresql(api: Api) -> None:
    database = api.state.database
    with pytest.raises(UnstorableTextError):
        await database.one(BY_LOGIN, {"login": "a\0b"})
    with pytest.raises(UnstorableTextError):
        async with database.read() as session:
            await session.execute(select(User.id).where(User.username == "a\0b"))
    with pytest.raises(UnstorableTextError):
        async with database.write() as session:
            await session.execute(insert(Role).values(name="a\0b"))
    assert await database.one(BY_LOGIN, {"login": "nobody"}) is None
