"""Registration and what a caller may set and learn by it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from celery import Celery

from inference_core.mail import names
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, new_registration

pytestmark = pytest.mark.anyio


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """The tasks the application hands to Celery, which are not sent."""
    messages: list[tuple[str, tuple[str, ...]]] = []

    def keep(self: Celery, name: str, args: tuple[str, ...], *_: object, **__: object) -> None:
        messages.append((name, tuple(args)))

    monkeypatch.setattr(Celery, "send_task", keep)
    return messages


async def test_S03_a_duplicate_is_a_conflict_by_default(api: Api) -> None:
    user = await api.register()
    for taken in ({"username": user.username.upper()}, {"email": user.email.upper()}):
        answer = await api.post("/auth/register", new_registration(**taken))
        assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")


async def test_S03_existing_accounts_can_be_hidden(
    start_app: AppFactory, sent: list[tuple[str, tuple[str, ...]]]
) -> None:
    async with start_app(hide_existing_accounts=True) as api:
        body = new_registration()
        fresh = await api.post("/auth/register", body)
        again = await api.post("/auth/register", new_registration(email=body["email"]))
        assert (fresh.status_code, again.status_code) == (202, 202)
        assert {**fresh.json(), "timestamp": ""} == {**again.json(), "timestamp": ""}
        assert set(fresh.json()) == {"success", "message", "timestamp"}
        assert sent == [(names.EMAIL_VERIFICATION, (body["email"],)), (names.ACCOUNT_EXISTS, (body["email"],))]
        login = {"username": body["username"], "password": body["password"]}
        assert (await api.post("/auth/login", login)).status_code == 200


async def test_S04_of_registrations_at_once_exactly_one_succeeds(api: Api) -> None:
    email = new_registration()["email"]
    answers = await asyncio.gather(*(api.post("/auth/register", new_registration(email=email)) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}


async def test_S05_forgot_password_answers_alike_for_known_and_unknown(
    api: Api, sent: list[tuple[str, tuple[str, ...]]]
) -> None:
    known, unknown = (await api.register()).email, new_registration()["email"]
    answers = [await api.post("/auth/forgot-password", {"email": email}) for email in (known, unknown)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({(answer.json()["success"], answer.json()["message"]) for answer in answers}) == 1
    # The same work in the request for both: one task is sent, and whether there is an account is the worker's matter.
    assert sent == [(names.PASSWORD_RESET, (email,)) for email in (known, unknown)]


async def test_S06_an_account_is_sent_only_so_many_reset_mails_an_hour(
    start_app: AppFactory, sent: list[tuple[str, tuple[str, ...]]]
) -> None:
    async with start_app(mails_per_account_per_hour=3) as api:
        first, second = (await api.register()).email, (await api.register()).email
        for email in [first] * 6 + [second]:
            assert (await api.post("/auth/forgot-password", {"email": email})).status_code == 200
        assert sent == [(names.PASSWORD_RESET, (email,)) for email in (first, first, first, second)]


async def test_S37_nobody_sets_what_is_not_theirs_to_set(api: Api) -> None:
    stranger = await api.register()
    privileges = {"is_superuser": True, "is_verified": True, "is_active": False, "id": stranger.id}
    privileges |= {"hashed_password": "x", "token_version": 99, "created_at": "2000-01-01T00:00:00Z"}
    user = await api.register(**privileges)
    tokens = await api.login(user)
    before = (await api.get("/auth/me", tokens)).json()
    changed = await api.call("PUT", "/auth/me", tokens, json={"first_name": "Eve", "username": "root", **privileges})
    after = (await api.get("/auth/me", tokens)).json()
    assert changed.status_code == 200
    assert after == {**before, "first_name": "Eve", "updated_at": after["updated_at"]}
    assert (after["id"] != stranger.id, after["is_verified"], after["is_active"]) == (True, False, True)
    assert (await api.get("/admin/users", tokens)).status_code == 403
    await api.login(user)


async def test_S13_a_new_email_needs_the_password_and_the_old_address_is_told(
    api: Api, sent: list[tuple[str, tuple[str, ...]]]
) -> None:
    user, other = await api.register(), await api.register()
    tokens = await api.login(user)
    new = new_registration()["email"]

    async def change(**body: str) -> int:
        return (await api.call("PUT", "/auth/me", tokens, json=body)).status_code

    assert await change(email=new) == 400
    assert await change(email=new, current_password="WrongPassword1") == 400
    assert await change(email=other.email, current_password=user.password) == 409
    assert await change(email=user.email.upper()) == 200
    assert sent == []
    assert await change(email=new.upper(), current_password=user.password) == 200
    assert sent == [(names.EMAIL_CHANGED, (user.email, user.username))]
    profile = (await api.get("/auth/me", tokens)).json()
    assert (profile["email"], profile["is_verified"]) == (new, False)


async def test_S10_a_reset_ends_every_session_and_logs_nobody_in(api: Api) -> None:
    from inference_core.auth.mailed_tokens import make_mailed_token

    user = await api.register()
    sessions = [await api.login(user), await api.login(user)]
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    answer = await api.post("/auth/reset-password", {"token": made.token, "new_password": "BrandNew789!"})
    assert set(answer.json()) == {"success", "message", "timestamp"}
    assert "set-cookie" not in answer.headers
    for tokens in sessions:
        assert await api.me_status(tokens) == 401
        assert (await api.try_refresh(tokens)).status_code == 401
    assert (await api.try_login(user)).status_code == 401
    await api.login(user, "BrandNew789!")


async def test_S07_a_mailed_token_is_good_once_until_it_expires_or_is_replaced(api: Api) -> None:
    from sqlalchemy import update

    from inference_core.auth.mailed_tokens import make_mailed_token, token_hash
    from inference_core.auth.models import OneTimeToken
    from inference_core.db.base import utc_now

    user = await api.register()

    async def make() -> str:
        made = await make_mailed_token(api.settings, user.email, "reset")
        assert made is not None
        return made.token

    async def reset(token: str) -> int:
        body = {"token": token, "new_password": "BrandNew789!"}
        return (await api.post("/auth/reset-password", body)).status_code

    replaced, expired = await make(), await make()
    async with api.state.database.write() as session:
        theirs = OneTimeToken.token_hash == token_hash(expired)
        await session.execute(update(OneTimeToken).where(theirs).values(expires_at=utc_now()))
    assert (await reset(replaced), await reset(expired)) == (400, 400)
    used = await make()
    at_once = await asyncio.gather(*(reset(used) for _ in range(5)))
    assert sorted(at_once) == [200, 400, 400, 400, 400]
    assert api.settings.password_reset_expire_minutes <= 10


async def test_S20_a_locked_account_can_still_reset_its_password(start_app: AppFactory) -> None:
    from inference_core.auth.mailed_tokens import make_mailed_token

    async with start_app(login_failures_allowed=2) as api:
        user = await api.register()
        tokens = await api.login(user)
        assert [(await api.try_login(user, "WrongPassword1")).status_code for _ in range(3)] == [401, 401, 429]
        assert await api.me_status(tokens) == 200
        await api.refresh(tokens)
        made = await make_mailed_token(api.settings, user.email, "reset")
        assert made is not None
        body = {"token": made.token, "new_password": "BrandNew789!"}
        assert (await api.post("/auth/reset-password", body)).status_code == 200
        await api.login(user, "BrandNew789!")
