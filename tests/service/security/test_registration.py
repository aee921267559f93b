"""Registration and what a caller may set and learn by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import make_email_change_token, make_mailed_token
from inference_core.auth.repository import AccountReads, UserRepository
from inference_core.core.queue.sender import BrokerUnavailableError
from tests.service.conftest import AppFactory
from tests.service.security.conftest import SentTasks
from tests.support.accounts import PASSWORD, Api, User, new_name, new_registration
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio


@on_every_database
async def test_S03_a_duplicate_is_a_conflict_by_default(api: Api) -> None:
    user = await api.register()
    for taken in ({"username": user.username.upper()}, {"email": user.email.upper()}):
        answer = await api.post("/auth/register", new_registration(**taken))
        assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")


async def test_S03_existing_accounts_can_be_hidden(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(hide_existing_accounts=True) as api:
        body = new_registration()
        fresh = await api.post("/auth/register", body)
        again = await api.post("/auth/register", new_registration(email=body["email"]))
        assert (fresh.status_code, again.status_code) == (202, 202)
        assert {**fresh.json(), "timestamp": ""} == {**again.json(), "timestamp": ""}
        assert set(fresh.json()) == {"success", "message", "timestamp"}
        assert sent == [(names.EMAIL_VERIFICATION, (body["email"],)), (names.ACCOUNT_EXISTS, (body["email"],))]


async def test_S03_a_hidden_registration_counts_once_its_email_is_confirmed(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(hide_existing_accounts=True) as api:
        owner = new_registration()
        # To log in afterwards would tell a stranger whether the email was free.
        for purpose in ("verify", "reset"):
            body = new_registration()
            user = User("", body["username"], body["email"])
            taken = User("", new_name(), owner["email"])
            await api.post("/auth/register", body)
            await api.post("/auth/register", owner | {"username": taken.username})
            for candidate in (user, taken):
                refused = await api.try_login(candidate)
                assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
            made = await make_mailed_token(api.settings, body["email"], purpose)
            assert made is not None
            if purpose == "verify":
                assert (await api.post("/auth/verify-email", {"token": made.token})).status_code == 200
            else:
                reset = {"token": made.token, "new_password": PASSWORD}
                assert (await api.post("/auth/reset-password", reset)).status_code == 200
            tokens = await api.login(user)
            assert (await api.get("/auth/me", tokens)).json()["is_verified"] is True
            owner = body


@on_every_database
async def test_S03_a_new_email_counts_once_it_is_confirmed_taken_or_not(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(hide_existing_accounts=False) as api:
        user, other = await api.register(), await api.register()
    async with start_app(hide_existing_accounts=True) as api:
        tokens, free = await api.login(user), new_registration()["email"]
        answers = [
            await api.call(
                "PUT", "/auth/me", tokens, json={"email": email, "current_password": PASSWORD, "first_name": "Ann"}
            )
            for email in (free, other.email)
        ]
        bodies = [{**answer.json(), "updated_at": ""} for answer in answers]
        assert {answer.status_code for answer in answers} == {200}
        assert bodies[0] == bodies[1]
        assert (bodies[0]["email"], bodies[0]["first_name"]) == (user.email, "Ann")
        assert sent == [(names.EMAIL_CHANGE, (user.id, email)) for email in (free, other.email)]
        sent.clear()
        assert await make_email_change_token(api.settings, UUID(user.id), other.email) is None
        links = [await make_email_change_token(api.settings, UUID(user.id), free) for _ in range(2)]
        reset = await make_mailed_token(api.settings, user.email, "reset")
        assert None not in links
        statuses = [(await api.post("/auth/verify-email", {"token": link.token})).status_code for link in links if link]
        assert statuses == [200, 400]
        profile = (await api.get("/auth/me", tokens)).json()
        assert (profile["email"], profile["is_verified"]) == (free, True)
        assert sent == [(names.EMAIL_CHANGED, (user.email, user.username))]
        assert reset is not None
        opened = await api.post("/auth/reset-password", {"token": reset.token, "new_password": "BrandNew789!"})
        assert opened.status_code == 400  # it was mailed to the old address


@on_every_database
async def test_S03_an_email_that_is_taken_before_it_is_confirmed_stays_with_its_account(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(hide_existing_accounts=True) as api:
        body = new_registration()
        await api.post("/auth/register", body)
        made = await make_mailed_token(api.settings, body["email"], "verify")
        assert made is not None
        assert (await api.post("/auth/verify-email", {"token": made.token})).status_code == 200
        account = await AccountReads(api.state.database).by_login(body["email"])
        assert account is not None
        free = new_registration()
        link = await make_email_change_token(api.settings, account.id, free["email"])
        assert link is not None
        await api.post("/auth/register", free)
        answer = await api.post("/auth/verify-email", {"token": link.token})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")
        unchanged = await AccountReads(api.state.database).by_login(body["email"])
        assert unchanged is not None
        assert unchanged.id == account.id


@pytest.mark.parametrize(
    "field",
    [
        {"username": "a b"},
        {"username": "root\u200b"},
        {"username": "no@where"},
        {"username": "ab"},
        {"username": "a" * 51},
        {"email": "nowhere"},
        {"email": f"{'a' * 250}@example.com"},
        {"first_name": "Ann\nBcc: all@example.com"},
        {"last_name": "\x7f"},
        {"first_name": "a" * 101},
    ],
)
async def test_S37_what_is_no_name_or_address_is_refused(api: Api, field: dict[str, str]) -> None:
    answer = await api.post("/auth/register", new_registration(**field))
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", *field]]


@on_every_database
async def test_S04_of_registrations_at_once_exactly_one_succeeds(api: Api) -> None:
    email = new_registration()["email"]
    answers = await asyncio.gather(*(api.post("/auth/register", new_registration(email=email)) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}


async def test_S05_forgot_password_answers_alike_for_known_and_unknown(api: Api, sent: SentTasks) -> None:
    known, unknown = (await api.register()).email, new_registration()["email"]
    answers = [await api.post("/auth/forgot-password", {"email": email}) for email in (known, unknown)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({(answer.json()["success"], answer.json()["message"]) for answer in answers}) == 1
    # The same work in the request for both: one task is sent, and whether there is an account is the worker's matter.
    assert sent == [(names.PASSWORD_RESET, (email,)) for email in (known, unknown)]


async def test_S06_an_account_is_sent_only_so_many_reset_mails_an_hour(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(mails_per_account_per_hour=3) as api:
        first, second = (await api.register()).email, (await api.register()).email
        for email in [first] * 6 + [second]:
            assert (await api.post("/auth/forgot-password", {"email": email})).status_code == 200
        assert sent == [(names.PASSWORD_RESET, (email,)) for email in (first, first, first, second)]


async def test_S13_an_address_is_to_be_confirmed_where_that_is_asked_for(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(verify_email=True) as api:
        user = await api.register()
        tokens = await api.login(user)
        new = new_registration()["email"]
        body = {"email": new, "current_password": user.password}
        assert (await api.call("PUT", "/auth/me", tokens, json=body)).status_code == 200
        assert sent == [
            (names.EMAIL_VERIFICATION, (user.email,)),
            (names.EMAIL_CHANGED, (user.email, user.username)),
            (names.EMAIL_VERIFICATION, (new,)),
        ]
        verification = await make_mailed_token(api.settings, new, "verify")
        assert verification is not None
        assert (await api.post("/auth/verify-email", {"token": verification.token})).status_code == 200
        assert (await api.get("/auth/me", tokens)).json()["is_verified"] is True
        assert await make_mailed_token(api.settings, new, "verify") is None  # it is confirmed
    sent.clear()
    async with start_app(verify_email=False) as api:
        await api.register()
        assert sent == []


async def test_S13_a_lost_notice_takes_nothing_back(start_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start_app(verify_email=True) as api:

        async def refuse(*_: object, **__: object) -> str:
            raise BrokerUnavailableError

        monkeypatch.setattr(type(api.state.sender), "send", refuse)
        user = await api.register()
        tokens = await api.login(user)
        new = new_registration()["email"]
        body = {"email": new, "current_password": user.password}
        assert (await api.call("PUT", "/auth/me", tokens, json=body)).status_code == 200
        assert (await api.get("/auth/me", tokens)).json()["email"] == new


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


async def test_S13_a_new_email_needs_the_password_and_the_old_address_is_told(api: Api, sent: SentTasks) -> None:
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
    assert profile["email"] == new


async def test_S13_what_was_mailed_to_the_old_address_counts_no_longer(api: Api, sent: SentTasks) -> None:
    user = await api.register()
    tokens = await api.login(user)
    reset = await make_mailed_token(api.settings, user.email, "reset")
    verification = await make_mailed_token(api.settings, user.email, "verify")
    assert reset is not None
    assert verification is not None
    body = {"email": new_registration()["email"], "current_password": user.password}
    assert (await api.call("PUT", "/auth/me", tokens, json=body)).status_code == 200
    assert (await api.post("/auth/verify-email", {"token": verification.token})).status_code == 400
    assert (await api.get("/auth/me", tokens)).json()["is_verified"] is False
    new_password = {"token": reset.token, "new_password": "BrandNew789!"}
    assert (await api.post("/auth/reset-password", new_password)).status_code == 400
    await api.login(user)


async def test_S13_a_new_email_is_not_verified_yet(api: Api, sent: SentTasks) -> None:
    user = await api.register()
    tokens = await api.login(user)
    async with api.state.database.write() as session:
        await UserRepository(session).change(UUID(user.id), is_verified=True)
    named = await api.call("PUT", "/auth/me", tokens, json={"first_name": "Ann", "email": user.email})
    assert named.json()["is_verified"] is True
    body = {"email": new_registration()["email"], "current_password": user.password}
    assert (await api.call("PUT", "/auth/me", tokens, json=body)).json()["is_verified"] is False
    assert (await api.get("/auth/me", tokens)).json()["is_verified"] is False
