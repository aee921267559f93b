"""What has expired is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from inference_core.auth.mailed_tokens import make_mailed_token
from inference_core.auth.models import EndedSession, OneTimeToken
from inference_core.celery.tasks import purge_database
from inference_core.db.base import utc_now
from tests.support.accounts import Api

pytestmark = pytest.mark.anyio


async def test_expired_tokens_and_ended_sessions_go_and_the_others_stay(api: Api) -> None:
    users = [await api.register() for _ in range(2)]
    for user in users:
        assert await make_mailed_token(api.settings, user.email, "reset")
    sessions = [await api.login(user) for user in users]
    for tokens in sessions:
        await api.post("/auth/logout", {"refresh_token": tokens.refresh})
    past, expired = utc_now() - timedelta(seconds=1), UUID(users[0].id)
    ids = [tokens.refresh.split(".")[0] for tokens in sessions]
    async with api.state.database.write() as session:
        await session.execute(update(OneTimeToken).where(OneTimeToken.user_id == expired).values(expires_at=past))
        await session.execute(update(EndedSession).where(EndedSession.session_id == ids[0]).values(expires_at=past))
    assert await purge_database(api.settings) >= 2
    async with api.state.database.read() as session:
        owners = [UUID(user.id) for user in users]
        left = await session.execute(select(OneTimeToken.user_id).where(OneTimeToken.user_id.in_(owners)))
        ended = await session.execute(select(func.count()).where(EndedSession.session_id.in_(ids)))
        assert left.scalars().all() == owners[1:]
        assert ended.scalar_one() == 1
    assert await api.me_status(sessions[1]) == 401
