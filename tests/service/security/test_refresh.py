"""Refresh sessions: rotation, lost answers, reuse, lifetimes, revocation."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import jwt
import pytest
from sqlalchemy import select

from inference_core.auth.models import EndedSession
from inference_core.auth.tokens.sessions import INDEX_KEY, SESSION_KEY
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, Tokens, audit_events

pytestmark = pytest.mark.anyio

GRACE_S = 10
DAY_S = 24 * 3600


def session_key(tokens: Tokens) -> str:
    return SESSION_KEY + tokens.refresh.split(".")[0]


async def grace_passes(api: Api, tokens: Tokens, seconds: int = 300) -> None:
    """As if the last rotation had been that much earlier."""
    redis = api.state.redis.client
    replaced_ms = int(await redis.hget(session_key(tokens), "replaced_ms"))  # type: ignore[arg-type]
    await redis.hset(session_key(tokens), "replaced_ms", str(replaced_ms - seconds * 1000))


async def test_S26_a_refresh_token_rotates_and_its_reuse_ends_the_family(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    user = await api.register()
    first, other = await api.login(user), await api.login(user)
    second = await api.refresh(first)
    assert second.refresh != first.refresh
    assert await api.me_status(second) == 200
    await grace_passes(api, first)
    reused = await api.try_refresh(first)
    assert (reused.status_code, reused.json()["code"]) == (401, "refresh_token_reused")
    assert (await api.try_refresh(second)).status_code == 401
    assert [await api.me_status(tokens) for tokens in (first, second, other)] == [401, 401, 200]
    events = audit_events(caplog, "refresh_token_reused")
    assert [(event["user_id"], event["ip"]) for event in events] == [(user.id, "127.0.0.1")]
    left = await api.state.redis.client.zrange(INDEX_KEY + user.id, 0, -1)
    assert left == [other.refresh.split(".")[0].encode()]


async def test_S27_twenty_refreshes_at_once_end_in_one_live_generation(api: Api) -> None:
    first = await api.login(await api.register())
    answers = await asyncio.gather(*(api.try_refresh(first) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    second = Tokens(answers[0].json()["access_token"], answers[0].json()["refresh_token"])
    await api.refresh(second)
    assert (await api.try_refresh(first)).json()["code"] == "refresh_token_reused"
    assert (await api.try_refresh(second)).status_code == 401


async def test_S27_within_the_grace_it_does_not_matter_that_the_successor_is_in_use(api: Api) -> None:
    first = await api.login(await api.register())
    second = await api.refresh(first)
    assert await api.me_status(second) == 200  # it has arrived, so that only the grace lets the next line pass
    assert (await api.refresh(first)).refresh == second.refresh
    await grace_passes(api, first, GRACE_S + 1)
    assert (await api.try_refresh(first)).json()["code"] == "refresh_token_reused"
    assert (await api.try_refresh(second)).status_code == 401


async def test_S28_a_client_that_never_got_the_answer_may_ask_again(api: Api) -> None:
    first = await api.login(await api.register())
    lost = await api.refresh(first)
    await grace_passes(api, first)
    again = await api.refresh(first)
    assert again.refresh == lost.refresh
    assert await api.me_status(again) == 200
    await grace_passes(api, first)
    assert (await api.try_refresh(first)).json()["code"] == "refresh_token_reused"


async def test_S29_the_last_but_one_token_ends_the_family_even_within_the_grace(api: Api) -> None:
    first = await api.login(await api.register())
    third = await api.refresh(await api.refresh(first))
    assert (await api.try_refresh(first)).json()["code"] == "refresh_token_reused"
    assert (await api.try_refresh(third)).status_code == 401


async def test_S30_a_session_ends_when_idle_and_at_its_absolute_end(start_app: AppFactory) -> None:
    async with start_app(refresh_token_expire_days=30, refresh_token_idle_days=7) as api:
        redis = api.state.redis.client
        tokens = await api.login(await api.register())
        key = session_key(tokens)
        assert await redis.pttl(key) / 1000 == pytest.approx(7 * DAY_S, abs=60)
        expires_ms = int(await redis.hget(key, "expires_ms"))  # type: ignore[arg-type]
        # As if 28 days had passed: what is left is less than the idle time, whatever rotation does.
        await redis.hset(key, "expires_ms", str(expires_ms - 28 * DAY_S * 1000))
        tokens = await api.refresh(tokens)
        assert await redis.pttl(key) / 1000 == pytest.approx(2 * DAY_S, abs=60)
        await redis.hset(key, "expires_ms", "1")
        assert (await api.try_refresh(tokens)).json()["code"] == "invalid_refresh_token"
        assert await redis.exists(key) == 0


async def test_S30_a_refresh_starts_the_idle_time_anew_and_never_moves_the_absolute_end(start_app: AppFactory) -> None:
    async with start_app(refresh_token_expire_days=30, refresh_token_idle_days=7) as api:
        redis = api.state.redis.client
        tokens = await api.login(await api.register())
        key = session_key(tokens)
        expires_ms = int(await redis.hget(key, "expires_ms"))  # type: ignore[arg-type]
        assert expires_ms / 1000 == pytest.approx(time.time() + 30 * DAY_S, abs=60)
        for _ in range(2):
            await redis.pexpire(key, 60_000)  # as if it had been idle for all but a minute
            tokens = await api.refresh(tokens)
            assert await redis.pttl(key) / 1000 == pytest.approx(7 * DAY_S, abs=60)
            assert int(await redis.hget(key, "expires_ms")) == expires_ms  # type: ignore[arg-type]


async def test_S31_logout_ends_the_family_and_is_never_an_error(api: Api) -> None:
    user = await api.register()
    first, other = await api.login(user), await api.login(user)
    second = await api.refresh(first)
    for token in (first.refresh, second.refresh, "garbage", "", forged_tag(other)):
        answer = await api.post("/auth/logout", {"refresh_token": token})
        assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert (await api.try_refresh(second)).status_code == 401
    assert await api.me_status(second) == 401
    await api.refresh(other)


def forged_tag(tokens: Tokens) -> str:
    session_id, secret, tag = tokens.refresh.split(".")
    return f"{session_id}.{secret}.{tag[::-1]}"


async def test_a_made_up_token_for_a_known_session_ends_nothing(api: Api) -> None:
    tokens = await api.login(await api.register())
    session_id, _, tag = tokens.refresh.split(".")
    forged = Tokens("", f"{session_id}.{'A' * 43}.{tag}")
    assert (await api.try_refresh(forged)).json()["code"] == "invalid_refresh_token"
    await api.refresh(tokens)


async def test_S32_users_see_and_end_their_own_sessions(api: Api) -> None:
    user, stranger = await api.register(), await api.register()
    here = await api.login(user)
    there = Tokens(**(await login_as(api, user.username, "phone")))
    theirs = await api.login(stranger)
    listed = (await api.get("/auth/sessions", here)).json()
    assert {session["current"] for session in listed} == {True, False}
    assert {session["user_agent"] for session in listed} >= {"phone"}
    other_id = next(session["id"] for session in listed if not session["current"])
    foreign_id = theirs.refresh.split(".")[0]
    assert (await api.call("DELETE", f"/auth/sessions/{foreign_id}", here)).status_code == 404
    assert (await api.call("DELETE", f"/auth/sessions/{other_id}", here)).status_code == 200
    assert (await api.call("DELETE", f"/auth/sessions/{other_id}", here)).status_code == 404
    assert [await api.me_status(tokens) for tokens in (here, there, theirs)] == [200, 401, 200]
    assert (await api.try_refresh(there)).status_code == 401


async def test_S32_a_user_has_only_so_many_sessions_and_the_oldest_goes_first(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_core.auth.tokens.sessions.MOST_SESSIONS_PER_USER", 3)
    user = await api.register()
    sessions = [await api.login(user) for _ in range(4)]
    assert (await api.try_refresh(sessions[0])).status_code == 401
    kept = [await api.refresh(tokens) for tokens in sessions[1:]]
    assert len((await api.get("/auth/sessions", kept[0])).json()) == 3


async def test_S32_what_a_client_says_of_itself_is_kept_short(api: Api) -> None:
    user = await api.register()
    tokens = Tokens(**(await login_as(api, user.username, "x" * 5000)))
    (listed,) = (await api.get("/auth/sessions", tokens)).json()
    assert listed["user_agent"] == "x" * 200


async def test_S32_nothing_of_an_ended_session_stays_but_the_refusal_of_its_access_tokens(api: Api) -> None:
    user = await api.register()
    redis = api.state.redis.client
    tokens = [await api.login(user) for _ in range(2)]
    assert await redis.pttl(INDEX_KEY + user.id) / 1000 == pytest.approx(30 * DAY_S, abs=60)
    await api.post("/auth/logout", {"refresh_token": tokens[0].refresh})
    ended, kept = (token.refresh.split(".")[0] for token in tokens)
    assert await redis.zrange(INDEX_KEY + user.id, 0, -1) == [kept.encode()]
    async with api.state.database.read() as session:
        found = await session.execute(select(EndedSession.expires_at).where(EndedSession.session_id == ended))
        refused_until = found.scalar_one()
    assert refused_until.timestamp() >= jwt.decode(tokens[0].access, options={"verify_signature": False})["exp"]


async def login_as(api: Api, username: str, user_agent: str) -> dict[str, str]:
    body = {"username": username, "password": "SecurePass123!"}
    answer = (await api.post("/auth/login", body, headers={"User-Agent": user_agent})).json()
    return {"access": answer["access_token"], "refresh": answer["refresh_token"]}


async def test_S32_logging_out_everywhere_ends_every_session_at_once(api: Api) -> None:
    user = await api.register()
    sessions = [await api.login(user) for _ in range(3)]
    answer = await api.call("DELETE", "/auth/sessions", sessions[0])
    assert (answer.status_code, answer.json()["ended"]) == (200, 3)
    for tokens in sessions:
        assert await api.me_status(tokens) == 401
        assert (await api.try_refresh(tokens)).status_code == 401
    assert await api.state.redis.client.exists(INDEX_KEY + user.id) == 0
    assert await api.me_status(await api.login(user)) == 200


async def test_S11_a_password_change_ends_every_session_but_the_own(api: Api) -> None:
    user = await api.register()
    own, other = await api.login(user), await api.login(user)
    change = {"current_password": user.password, "new_password": "AnotherPass456!"}
    assert (await api.post("/auth/change-password", change, own)).status_code == 200
    assert [session.id for session in await api.auth.sessions.list(UUID(user.id))] == [own.refresh.split(".")[0]]
    assert (await api.try_refresh(other)).status_code == 401
    assert [await api.me_status(tokens) for tokens in (own, other)] == [200, 401]
    own = await api.refresh(own)
    assert await api.me_status(own) == 200
    newest = await api.login(user, "AnotherPass456!")
    change = {"current_password": "AnotherPass456!", "new_password": "YetAnother789!"}
    assert (await api.post("/auth/change-password", change, newest)).status_code == 200
    assert [await api.me_status(tokens) for tokens in (own, newest)] == [401, 200]


async def test_S33_a_browser_keeps_its_refresh_token_in_a_cookie(api: Api) -> None:
    user = await api.register()
    in_cookie = {"X-Token-Transport": "cookie"}
    login = {"username": user.username, "password": user.password}
    answer = await api.post("/auth/login", login, headers=in_cookie)
    cookie = answer.headers["set-cookie"]
    assert answer.json()["refresh_token"] is None
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes >= {"httponly", "secure", "samesite=strict", "path=/api/v1/auth"}
    assert f"max-age={api.settings.refresh_token_idle_days * DAY_S}" in attributes
    sent = {"Cookie": cookie.split(";")[0]}
    # Without the header, which a foreign site cannot send, the cookie counts for nothing.
    assert (await api.call("POST", "/auth/refresh", headers=sent)).status_code == 401
    refreshed = await api.call("POST", "/auth/refresh", headers=sent | in_cookie)
    assert refreshed.status_code == 200
    sent = {"Cookie": refreshed.headers["set-cookie"].split(";")[0]}
    assert await api.me_status(Tokens(refreshed.json()["access_token"], "")) == 200
    left = await api.call("POST", "/auth/logout", headers=sent | in_cookie)
    assert left.status_code == 200
    assert 'refresh_token=""' in left.headers["set-cookie"]
    assert (await api.call("POST", "/auth/refresh", headers=sent | in_cookie)).status_code == 401


async def test_only_hashes_of_refresh_tokens_are_stored(api: Api) -> None:
    tokens = await api.refresh(await api.login(await api.register()))
    secret = tokens.refresh.split(".")[1]
    stored = await api.state.redis.client.hgetall(session_key(tokens))
    assert secret.encode() not in b"".join(stored.values())


async def test_without_redis_a_login_or_refresh_is_unavailable_not_refused(
    start_app: AppFactory, redis_url: str
) -> None:
    async with start_app() as api:
        user = await api.register()
        tokens = await api.login(user)
    nothing_there = "redis://127.0.0.1:1/0"
    async with start_app(redis_url=nothing_there, celery_broker_url=redis_url, celery_result_backend=redis_url) as api:
        for answer in (await api.try_refresh(tokens), await api.try_login(user)):
            assert (answer.status_code, answer.json()["code"]) == (503, "session_store_unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert await api.me_status(tokens) == 200
