"""Passwords that are set with a mailed token: once, in time, and at the end of everything the old one had opened."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import select, update

from inference_core.auth.mail.tokens import make_mailed_token, token_hash
from inference_core.auth.models import OneTimeToken
from inference_core.auth.repository import UserRepository
from inference_core.auth.tokens.sessions import SESSION_KEY
from inference_core.core.db.base import utc_now
from tests.service.conftest import AppFactory
from tests.service.security.conftest import Meanwhile
from tests.support.accounts import Api, User
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

NEW = "BrandNew789!"


async def mailed_token(api: Api, user: User) -> str:
    """A reset token as the worker would mail it."""
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    return made.token


async def reset_status(api: Api, token: str) -> int:
    return (await api.post("/auth/reset-password", {"token": token, "new_password": NEW})).status_code


@on_every_database
async def test_S07_a_mailed_token_is_good_once_until_it_expires(api: Api) -> None:
    user = await api.register()
    expired = await mailed_token(api, user)
    async with api.state.database.write() as session:
        theirs = OneTimeToken.token_hash == token_hash(expired)
        await session.execute(update(OneTimeToken).where(theirs).values(expires_at=utc_now()))
    assert await reset_status(api, expired) == 400
    used = await mailed_token(api, user)
    at_once = await asyncio.gather(*(reset_status(api, used) for _ in range(5)))
    assert sorted(at_once) == [200, 400, 400, 400, 400]


async def test_S07_a_mailed_token_lives_for_ten_minutes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSWORD_RESET_EXPIRE_MINUTES", raising=False)
    assert Settings(_env_file=None).password_reset_expire_minutes == api.settings.password_reset_expire_minutes == 10
    stored = token_hash(await mailed_token(api, await api.register()))
    async with api.state.database.read() as session:
        found = await session.execute(select(OneTimeToken.expires_at).where(OneTimeToken.token_hash == stored))
        expires_at = found.scalar_one()
    assert (expires_at - utc_now()).total_seconds() == pytest.approx(600, abs=30)


async def test_S07_an_account_that_is_put_out_is_mailed_nothing(api: Api) -> None:
    user = await api.register()
    async with api.state.database.write() as session:
        await UserRepository(session).change(UUID(user.id), is_active=False)
    assert await make_mailed_token(api.settings, user.email, "reset") is None


@on_every_database
async def test_S07_asking_for_one_kind_of_mail_leaves_the_other_good(api: Api) -> None:
    user = await api.register()
    token = await mailed_token(api, user)
    assert await make_mailed_token(api.settings, user.email, "verify") is not None
    assert await reset_status(api, token) == 200


async def test_S10_a_reset_ends_every_session_and_logs_nobody_in(api: Api) -> None:
    user = await api.register()
    sessions = [await api.login(user), await api.login(user)]
    body = {"token": await mailed_token(api, user), "new_password": NEW}
    answer = await api.post("/auth/reset-password", body)
    assert set(answer.json()) == {"success", "message", "timestamp"}
    assert "set-cookie" not in answer.headers
    assert await api.auth.sessions.list(UUID(user.id)) == []
    for tokens in sessions:
        assert await api.me_status(tokens) == 401
        assert (await api.try_refresh(tokens)).status_code == 401
    assert (await api.try_login(user)).status_code == 401
    await api.login(user, NEW)


async def test_S10_the_session_that_a_password_change_kept_ends_with_a_reset_too(api: Api) -> None:
    user = await api.register()
    kept = await api.login(user)
    change = {"current_password": user.password, "new_password": "AnotherPass456!"}
    assert (await api.post("/auth/change-password", change, kept)).status_code == 200
    assert await api.me_status(kept) == 200
    assert await reset_status(api, await mailed_token(api, user)) == 200
    assert await api.me_status(kept) == 401
    assert (await api.try_refresh(kept)).status_code == 401


@on_every_database
async def test_S10_a_login_with_the_old_password_that_is_under_way_leads_nowhere(
    api: Api, while_a_password_is_compared: Meanwhile
) -> None:
    user = await api.register()
    token = await mailed_token(api, user)
    while_a_password_is_compared(api, lambda: reset_status(api, token))
    tokens = await api.login(user)  # begun before the reset, done after it
    assert (await api.try_login(user)).status_code == 401
    assert await api.me_status(tokens) == 401
    refused = await api.try_refresh(tokens)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_refresh_token")
    assert await api.state.redis.client.exists(SESSION_KEY + tokens.refresh.split(".")[0]) == 0


async def test_S20_a_locked_account_can_still_reset_its_password(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=2) as api:
        user = await api.register()
        tokens = await api.login(user)
        assert [(await api.try_login(user, "WrongPassword1")).status_code for _ in range(3)] == [401, 401, 429]
        assert await api.me_status(tokens) == 200
        await api.refresh(tokens)
        assert await reset_status(api, await mailed_token(api, user)) == 200
        await api.login(user, NEW)
