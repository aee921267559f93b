"""What has expired is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.models import EndedSession, OneTimeToken, User
from inference_core.auth.purge import purge
from inference_core.core.db.base import utc_now
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, new_registration
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


@on_every_database
async def test_expired_tokens_and_ended_sessions_go_and_the_others_stay(api: Api) -> None:
    users = [await api.register() for _ in range(2)]
    for user in users:
        assert await make_mailed_token(api.settings, user.email, "reset")
    sessions = [await api.login(user) for user in users]
    for tokens in sessions:
        await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    past, expired = utc_now() - timedelta(hours=1, seconds=1), UUID(users[0].id)
    ids = [tokens.refresh.split(".")[0] for tokens in sessions]
    async with api.state.database.write() as session:
        await session.execute(update(OneTimeToken).where(OneTimeToken.user_id == expired).values(expires_at=past))
        await session.execute(update(EndedSession).where(EndedSession.session_id == ids[0]).values(expires_at=past))
    assert await purge(api.settings) >= 2
    async with api.state.database.read() as session:
        owners = [UUID(user.id) for user in users]
        left = await session.execute(select(OneTimeToken.user_id).where(OneTimeToken.user_id.in_(owners)))
        ended = await session.execute(select(func.count()).where(EndedSession.session_id.in_(ids)))
        assert left.scalars().all() == owners[1:]
        assert ended.scalar_one() == 1
    assert await api.me_status(sessions[1]) == 401


@on_every_database
async def test_accounts_that_nobody_confirmed_go_in_the_end(start_app: AppFactory) -> None:
    async with start_app(hide_existing_accounts=True, email_verification_expire_hours=2) as api:
        bodies = [new_registration() for _ in range(3)]
        for body in bodies:
            assert (await api.post("/auth/register", body)).status_code == 202
        old, confirmed, recent = (body["email"] for body in bodies)
        async with api.state.database.write() as session:
            past = utc_now() - timedelta(hours=3)
            await session.execute(update(User).where(User.email.in_([old, confirmed])).values(created_at=past))
            await session.execute(update(User).where(User.email == confirmed).values(is_pending=False))
        await purge(api.settings)
        async with api.state.database.read() as session:
            left = await session.execute(select(User.email).where(User.email.in_([old, confirmed, recent])))
            assert set(left.scalars()) == {confirmed, recent}
