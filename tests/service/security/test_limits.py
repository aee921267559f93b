"""Limits by network and by account: on guessing, on hashing, and on mail that a stranger asks for."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from inference_core.auth.limits.buckets import Bucket, Buckets
from inference_core.auth.mail import names
from inference_core.auth.mail.tokens import make_mailed_token
from inference_core.auth.tokens.sessions import SESSION_KEY
from tests.service.conftest import AppFactory
from tests.service.security.conftest import SentTasks
from tests.support.accounts import PASSWORD, Api, User, new_name, new_network, new_registration

pytestmark = pytest.mark.anyio

WRONG = "WrongPassword1"
NEW = "BrandNew789!"


def nobody() -> User:
    return User("", new_name(), "")


async def reset_token(api: Api, user: User) -> str:
    made = await make_mailed_token(api.settings, user.email, "reset")
    assert made is not None
    return made.token


async def test_S19_one_guess_at_each_of_many_accounts_is_limited_by_network(start_app: AppFactory) -> None:
    async with start_app(login_failures_per_network=5) as api:
        user, network, elsewhere = await api.register(), new_network(), new_network()
        # What succeeds is not counted, from however many who share an address.
        assert {(await api.at(f"{network}.7").try_login(user)).status_code for _ in range(12)} == {200}
        guessed = [(await api.at(f"{network}.{n}").try_login(nobody(), WRONG)).status_code for n in range(8)]
        assert guessed == [401] * 5 + [429] * 3
        refused = await api.at(f"{network}.99").try_login(user)
        assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        form = {"username": user.username, "password": user.password}
        assert (await api.at(f"{network}.99").call("POST", "/auth/token", data=form)).status_code == 429
        assert (await api.at(f"{elsewhere}.7").try_login(user)).status_code == 200


async def test_S19_a_wrong_current_password_counts_for_the_network_too(start_app: AppFactory) -> None:
    async with start_app(login_failures_per_network=2) as api:
        here = api.at(f"{new_network()}.7")
        users = [await api.register() for _ in range(3)]
        change = {"current_password": WRONG, "new_password": NEW}
        statuses = [
            (await here.post("/auth/change-password", change, await api.login(user))).status_code for user in users
        ]
        assert statuses == [400, 400, 429]


async def test_S18_what_one_network_has_hashed_is_limited_on_every_route(start_app: AppFactory) -> None:
    async with start_app(passwords_per_network_per_minute=3) as api:
        users = [await api.at(f"{new_network()}.1").register() for _ in range(2)]
        tokens = await api.at(f"{new_network()}.1").login(users[0])
        new_email = {"email": new_registration()["email"], "current_password": users[0].password}
        change = {"current_password": users[0].password, "new_password": NEW}
        mailed = {"token": await reset_token(api, users[1]), "new_password": NEW}
        form = {"username": users[0].username, "password": users[0].password}

        async def statuses(here: Api) -> list[int]:
            answers = [
                await here.post("/auth/register", new_registration()),
                await here.try_login(users[0]),
                await here.call("POST", "/auth/token", data=form),
                await here.call("PUT", "/auth/me", tokens, json=new_email),
                await here.post("/auth/change-password", change, tokens),
                await here.post("/auth/reset-password", mailed),
            ]
            return [answer.status_code for answer in answers]

        network = new_network()
        assert [(await api.at(f"{network}.1").try_login(users[1])).status_code for _ in range(4)] == [200] * 3 + [429]
        assert await statuses(api.at(f"{network}.2")) == [429] * 6
        # Nothing was used up or changed by what was refused.
        assert (await api.at(f"{new_network()}.1").post("/auth/reset-password", mailed)).status_code == 200


async def test_S18_registrations_that_tell_nothing_are_limited_too(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(hide_existing_accounts=True, passwords_per_network_per_minute=2) as api:
        here = api.at(f"{new_network()}.1")
        statuses = [(await here.post("/auth/register", new_registration())).status_code for _ in range(3)]
        assert statuses == [202, 202, 429]
        assert len(sent) == 2


async def test_S07_a_made_up_token_causes_no_hashing_and_no_write(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: str) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(api.auth.passwords, "hash", refuse)
    async with api.state.database.write() as session:  # SQLite has one writer: a write would wait for this one
        await session.connection()
        for token in ("made-up", "", " ", "x" * 1024, "\0", "ä" * 100):
            answer = await api.post("/auth/reset-password", {"token": token, "new_password": NEW})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_token")
            assert (await api.post("/auth/verify-email", {"token": token})).status_code == 400


@pytest.mark.parametrize("by", ["username", "email"])
async def test_S19_guessing_from_many_networks_is_limited_and_the_owner_is_told(
    start_app: AppFactory, sent: SentTasks, by: str
) -> None:
    async with start_app(login_failures_per_account=6) as api:
        user, home = await api.register(), new_network()
        await api.at(f"{home}.1").login(user)
        for login in (getattr(user, by), f"{new_name()}@example.com" if by == "email" else new_name()):
            guess = {"username": login, "password": WRONG}
            networks = [api.at(f"{new_network()}.1") for _ in range(10)]
            statuses = [(await network.post("/auth/login", guess)).status_code for network in networks]
            assert statuses == [401] * 6 + [429] * 4
            # The same for an identifier without an account, which the worker finds out.
            assert sent == [(names.FAILED_LOGINS, (login,))]
            sent.clear()
        right = {"username": getattr(user, by), "password": user.password}
        away = api.at(f"{new_network()}.1")
        assert (await away.post("/auth/login", right)).status_code == 429
        # Where the account has a session its owner may log in, and guess as often as before and no more.
        assert (await api.at(f"{home}.2").post("/auth/login", right)).status_code == 200
        body = {"token": await reset_token(api, user), "new_password": NEW}
        assert (await away.post("/auth/reset-password", body)).status_code == 200
        assert (await away.post("/auth/login", right | {"password": NEW})).status_code == 200


async def test_S19_many_right_logins_count_for_no_account(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(login_failures_per_account=2) as api:
        user = await api.register()
        assert {(await api.at(f"{new_network()}.1").try_login(user)).status_code for _ in range(6)} == {200}
        assert sent == []


async def test_S06_a_stranger_uses_up_nobodys_mails(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(mails_per_account_per_hour=2) as api:
        user, other = await api.register(), await api.register()
        strangers = [api.at(f"{new_network()}.1") for _ in range(6)]
        for stranger in strangers[:3]:
            for _ in range(5):
                assert (await stranger.post("/auth/forgot-password", {"email": user.email})).status_code == 200
        assert len(sent) == 6
        owner = api.at(f"{new_network()}.1")
        await owner.post("/auth/forgot-password", {"email": user.email})
        assert len(sent) == 7
        # All networks together have their bound, too, which is the account's alone.
        for stranger in strangers[3:]:
            for _ in range(5):
                assert (await stranger.post("/auth/forgot-password", {"email": user.email})).status_code == 200
        assert Counter(sent) == {(names.PASSWORD_RESET, (user.email,)): 8}
        await strangers[0].post("/auth/forgot-password", {"email": other.email})
        assert sent[8:] == [(names.PASSWORD_RESET, (other.email,))]
        # A confirmation has a quota of its own.
        sent.clear()
        tokens = await owner.login(user)
        for _ in range(4):
            assert (await owner.post("/auth/request-verification", {}, tokens)).status_code == 200
        assert sent == [(names.EMAIL_VERIFICATION, (user.email,))] * 2


async def test_S06_what_strangers_ask_for_makes_no_earlier_link_worthless(api: Api) -> None:
    user = await api.register()
    links = [await reset_token(api, user) for _ in range(3)]
    assert (await api.post("/auth/reset-password", {"token": links[0], "new_password": NEW})).status_code == 200
    # One that was used ends the others.
    for link in links:
        assert (await api.post("/auth/reset-password", {"token": link, "new_password": PASSWORD})).status_code == 400


async def test_S06_invented_addresses_are_limited_by_network(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(mails_per_network_per_minute=3) as api:
        network, elsewhere = new_network(), new_network()

        async def ask(address: str) -> int:
            body = {"email": new_registration()["email"]}
            return (await api.at(address).post("/auth/forgot-password", body)).status_code

        assert [await ask(f"{network}.{n}") for n in range(5)] == [200] * 3 + [429] * 2
        assert len(sent) == 3
        assert await ask(f"{elsewhere}.1") == 200
        refused = await api.at(f"{network}.9").post("/auth/forgot-password", {"email": "a@example.com"})
        assert 1 <= int(refused.headers["retry-after"]) <= 60


@pytest.mark.parametrize("known", [True, False])
async def test_S06_a_queue_that_no_worker_empties_does_not_grow_without_end(start_app: AppFactory, known: bool) -> None:
    async with start_app(mails_waiting_max=3) as api:
        await api.state.redis.client.delete("default")
        email = (await api.register()).email if known else new_registration()["email"]
        answers = [await api.at(f"{new_network()}.1").post("/auth/forgot-password", {"email": email}) for _ in "12345"]
        assert [answer.status_code for answer in answers] == [200] * 3 + [503] * 2
        assert answers[-1].json()["code"] == "queue_full"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert await api.state.redis.client.llen("default") == 3
        await api.state.redis.client.delete("default")


async def test_S06_mail_to_the_owner_of_an_account_asks_the_quota(start_app: AppFactory, sent: SentTasks) -> None:
    async with start_app(hide_existing_accounts=True, mails_per_account_per_hour=2) as api:
        body = new_registration()
        answers = [await api.post("/auth/register", body | {"username": new_name()}) for _ in range(6)]
        assert {answer.status_code for answer in answers} == {202}
        assert len(sent) == 2
        assert {arguments for _, arguments in sent} == {(body["email"],)}


async def test_S06_changing_an_email_to_and_fro_mails_nobody_without_end(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(verify_email=True, mails_per_account_per_hour=2) as api:
        user, victims = await api.register(), [new_registration()["email"] for _ in range(2)]
        tokens = await api.login(user)
        for number in range(8):
            body = {"email": victims[number % 2], "current_password": user.password}
            assert (await api.call("PUT", "/auth/me", tokens, json=body)).status_code == 200
        received = Counter(arguments[0] for _, arguments in sent)
        assert all(received[victim] <= 2 for victim in victims)


async def test_every_counter_expires(start_app: AppFactory, sent: SentTasks) -> None:
    networks = {
        "login_failures_per_network": 3,
        "passwords_per_network_per_minute": 3,
        "mails_per_network_per_minute": 1,
    }
    async with start_app(**networks, login_failures_allowed=2, login_failures_per_account=3) as api:
        user = await api.register()
        for address in ("192.0.2.1", "198.51.100.1", "2001:db8:77::1"):
            for _ in range(3):
                await api.at(address).try_login(user, WRONG)
            await api.at(address).post("/auth/forgot-password", {"email": user.email})
        redis = api.state.redis.client
        not_counters = (SESSION_KEY.encode(), b"auth:user-sessions:")
        counters = [key async for key in redis.scan_iter("auth:*") if not key.startswith(not_counters)]
        kinds = {
            "failures",
            "lock",
            "hashes",
            "network-failures",
            "account-failures",
            "mails",
            "mail-network",
            "warned",
        }
        assert {key.split(b":")[1].decode() for key in counters} == kinds
        remaining_ms = {key: await redis.pttl(key) for key in counters}
        # -1 is a key that never expires, -2 one that has expired meanwhile.
        assert [key for key, ms in remaining_ms.items() if ms == -1 or ms > 12 * 3600 * 1000] == []
        assert not [key for key in counters if user.username.encode() in key]


async def test_a_bucket_takes_all_or_nothing_and_fills_again(api: Api) -> None:
    buckets = Buckets(api.state.redis.client)
    small, large = (Bucket(f"auth:test:{new_name()}", capacity, window_s) for capacity, window_s in ((2, 0.4), (5, 60)))
    assert [await buckets.take([large, small]) for _ in range(2)] == [None, None]
    refusal = await buckets.take([large, small])
    assert refusal is not None
    assert (refusal.key, 0 < refusal.wait_ms <= 200) == (small.key, True)
    # The refusal has taken nothing from the large one: three are left.
    assert [await buckets.take([large]) is None for _ in range(4)] == [True, True, True, False]
    await buckets.give_back([large])
    assert [await buckets.take([large]) is None for _ in range(2)] == [True, False]
    async with asyncio.timeout(5):
        while await buckets.take([small]) is not None:  # noqa: ASYNC110  # nothing tells when a unit has returned
            await asyncio.sleep(0.02)
    await buckets.give_back([small, small, small])
    assert await buckets.take([small], unless_locked=[large.key]) is not None  # a key that expires is a lock


async def test_S19_the_owner_of_a_session_is_let_through_only_from_its_network(
    start_app: AppFactory, sent: SentTasks
) -> None:
    async with start_app(login_failures_per_account=2, login_failures_allowed=3) as api:
        user, home = await api.register(), new_network()
        await api.at(f"{home}.1").login(user)
        assert len(await api.auth.sessions.list(UUID(user.id))) == 1
        for _ in range(2):
            await api.at(f"{new_network()}.1").try_login(user, WRONG)
        statuses = [(await api.at(f"{home}.9").try_login(user, WRONG)).status_code for _ in range(5)]
        assert statuses == [401] * 3 + [429] * 2
