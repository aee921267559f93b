"""Logging in: one answer for every failure, no guessing, nobody locked out by a stranger."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any
from uuid import UUID

import bcrypt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from inference_core.auth.limits.throttle import Attempt
from inference_core.auth.repository import AccountReads, UserRepository
from inference_core.core.addresses import address_prefix
from tests.service.conftest import AppFactory
from tests.service.security.conftest import Meanwhile
from tests.service.telemetry.scrape import scrape
from tests.support.accounts import PASSWORD, Api, User, audit_events, new_name, new_registration
from tests.support.servers.databases import on_every_database

pytestmark = pytest.mark.anyio

WRONG = "WrongPassword1"
# The times swing when other tests run beside; without the wait, they differ every time.
TRIES = 5
OPERATIONS = ("database_statement_seconds_count", "redis_operation_seconds_count", "task_send_seconds_count")


async def deactivate(api: Api, user: User) -> None:
    async with api.state.database.write() as session:
        assert await UserRepository(session).change(UUID(user.id), is_active=False) == 1


async def test_S01_every_failed_login_gets_the_same_answer(api: Api) -> None:
    user, inactive = await api.register(), await api.register()
    await deactivate(api, inactive)
    answers = [
        await api.try_login(user, WRONG),
        await api.try_login(inactive),
        await api.post("/auth/login", {"username": new_name(), "password": PASSWORD}),
        await api.post("/auth/login", {"username": "no\0body", "password": PASSWORD}),
        await api.post("/auth/login", {"username": "", "password": ""}),
        await api.post("/auth/login", {"username": user.username, "password": "x" * 1000}),
        await api.call("POST", "/auth/token", data={"username": user.username, "password": WRONG}),
    ]
    bodies = [{**answer.json(), "request_id": "", "instance": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert len({json.dumps(body) for body in bodies}) == 1


async def test_S02_an_unknown_user_causes_the_same_work_as_a_wrong_password(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes the time of a login: comparisons of a hash, statements, operations of Redis and sent tasks."""
    compared: list[str] = []

    def count(hasher: type[Argon2Hasher | BcryptHasher]) -> None:
        verify = hasher.verify

        def counted(self: Any, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002  # the library's name
            compared.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return verify(self, password, hash)

        monkeypatch.setattr(hasher, "verify", counted)

    async def work_for(user: User) -> tuple[list[str], dict[str, float]]:
        compared.clear()
        before = await scrape(api)
        assert (await api.try_login(user, WRONG)).status_code == 401
        after = await scrape(api)
        return [*compared], {name: after[name] - before.get(name, 0) for name in after if name.startswith(OPERATIONS)}

    count(Argon2Hasher)
    count(BcryptHasher)
    user, unknown = await api.register(), User("", new_name(), "")
    await work_for(user)  # loads the scripts of Redis
    known = await work_for(user)
    assert known == await work_for(unknown)
    hashes, operations = known
    assert hashes == [f"$argon2id$v=19$m={api.settings.argon2_memory_kib},t={api.settings.argon2_time_cost},p=1"]
    assert sum(operations.values()) >= 2


@pytest.mark.full
async def test_S02_an_unknown_user_takes_as_much_cpu_time_as_a_wrong_password(start_app: AppFactory) -> None:
    """CPU time, because other processes lengthen every other time; the pairs alternate."""
    async with start_app(argon2_memory_kib=19456, argon2_time_cost=2, login_failures_allowed=1000) as api:
        user, unknown = await api.register(), User("", new_name(), "")

        async def took_s(candidate: User) -> float:
            start_s = time.process_time()
            assert (await api.try_login(candidate, WRONG)).status_code == 401
            return time.process_time() - start_s

        ratios: list[float] = []
        for number in range(40):
            pair = (user, unknown) if number % 2 else (unknown, user)
            times_s = {candidate.username: await took_s(candidate) for candidate in pair}
            ratios.append(times_s[unknown.username] / times_s[user.username])
        assert 0.8 <= statistics.median(ratios[5:]) <= 1.2, ratios


@pytest.mark.parametrize("cost", [8, 10])
async def test_S02_an_account_with_an_older_hash_takes_no_longer_than_no_account(
    start_app: AppFactory, cost: int
) -> None:
    """Bcrypt of cost 10 takes longer than `failed_login_min_s` here, and is waited for once it was met."""
    async with start_app(failed_login_min_s=0.05, login_failures_allowed=1000) as api:
        older, newer, unknown = await api.register(), await api.register(), User("", new_name(), "")
        legacy = bcrypt.hashpw(older.password.encode(), bcrypt.gensalt(cost)).decode()
        account = await AccountReads(api.state.database).by_login(older.username)
        assert account is not None
        async with api.state.database.write() as session:
            await UserRepository(session).rehash(account.id, account.hashed_password, legacy)
        await api.try_login(older, WRONG)

        async def took_s(user: User) -> float:
            start_s = time.perf_counter()
            assert (await api.try_login(user, WRONG)).status_code == 401
            return time.perf_counter() - start_s

        rounds: list[list[float]] = []
        for _ in range(TRIES):
            times = [[await took_s(user) for user in (older, newer, unknown)] for _ in range(7)]
            rounds.append([statistics.median(column) for column in zip(*times, strict=True)])
            if max(rounds[-1]) <= 1.2 * min(rounds[-1]):
                return
        pytest.fail(f"medians of bcrypt, argon2 and no account in s: {rounds}")


async def test_S02_the_right_password_of_an_account_that_is_out_takes_as_long_as_a_wrong_one(
    start_app: AppFactory,
) -> None:
    async with start_app(failed_login_min_s=0.3) as api:
        inactive, pending = await api.register(), await api.register()
        await deactivate(api, inactive)
        async with api.state.database.write() as session:
            await UserRepository(session).change(UUID(pending.id), is_pending=True)
        for user in (inactive, pending):
            start_s = time.perf_counter()
            assert (await api.try_login(user)).status_code == 401
            assert time.perf_counter() - start_s >= 0.3


async def test_S19_guessing_is_slowed_down_for_that_account_alone(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=3) as api:
        user, neighbour = await api.register(), await api.register()
        for _ in range(3):
            assert (await api.try_login(user, WRONG)).status_code == 401
        locked, guessed = await api.try_login(user, WRONG), await api.try_login(user)
        assert (locked.status_code, guessed.status_code) == (429, 429)
        assert 1 <= int(guessed.headers["retry-after"]) <= 60
        counter, _ = Attempt(user.username, address_prefix("127.0.0.1")).keys
        window_s = await api.state.redis.client.pttl(counter) / 1000
        assert window_s == pytest.approx(api.settings.login_failures_window_s, abs=60)
        assert {**locked.json(), "request_id": ""} == {**guessed.json(), "request_id": ""}
        assert user.username not in guessed.text
        await api.login(neighbour)


async def test_S19_a_lock_does_not_show_that_a_name_and_an_email_are_of_one_account(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=4, login_failures_per_account=6) as api:
        user, other = await api.register(), await api.register()

        async def guess(*logins: str) -> list[int]:
            bodies = [{"username": login, "password": WRONG} for login in logins]
            return [(await api.post("/auth/login", body)).status_code for body in bodies]

        for email in (user.email, other.email, new_registration()["email"]):
            statuses = await guess(*[user.username] * 3, *[email] * 3, user.username, email, user.username, email)
            assert statuses == [401] * 8 + [429] * 2
            await api.auth.throttle.clear([Attempt(user.username, address_prefix("127.0.0.1"))])


async def test_S19_an_unknown_account_is_locked_like_a_known_one(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=2) as api:
        user, nobody = await api.register(), User("", new_name(), "")
        known = [(await api.try_login(user, WRONG)).status_code for _ in range(4)]
        unknown = [(await api.try_login(nobody, WRONG)).status_code for _ in range(4)]
        assert known == unknown == [401, 401, 429, 429]
        kept = [key async for key in api.state.redis.client.scan_iter("auth:*")]
        assert not [key for key in kept if nobody.username.encode() in key]


async def test_S19_of_many_guesses_at_once_none_counts_after_the_lock(
    api: Api, while_a_password_is_compared: Meanwhile, caplog: pytest.LogCaptureFixture
) -> None:
    user = await api.register()
    tokens = await api.login(user)
    allowed = api.settings.login_failures_allowed

    async def guess() -> None:
        assert {(await api.try_login(user, WRONG)).status_code for _ in range(allowed)} == {401}

    while_a_password_is_compared(api, guess)
    right = await api.try_login(user)
    assert (right.status_code, right.json()["code"]) == (429, "throttled")
    assert 1 <= int(right.headers["retry-after"]) <= 60
    assert len(await api.auth.sessions.list(UUID(user.id))) == 1
    assert [entry["user_id"] for entry in audit_events(caplog, "login_throttled")] == [user.id]
    await api.auth.throttle.clear([Attempt(user.username, address_prefix("127.0.0.1"))])

    while_a_password_is_compared(api, guess)
    change = {"current_password": user.password, "new_password": "AnotherPass456!"}
    assert (await api.post("/auth/change-password", change, tokens)).status_code == 429
    assert [entry["user_id"] for entry in audit_events(caplog, "password_check_throttled")] == [user.id]
    assert await api.me_status(tokens) == 200


async def test_S19_a_stranger_elsewhere_locks_nobody_out(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=2) as api:
        user = await api.register()

        async def statuses(address: str, *passwords: str) -> list[int]:
            return [(await api.at(address).try_login(user, password)).status_code for password in passwords]

        assert await statuses("203.0.113.7", WRONG, WRONG, WRONG) == [401, 401, 429]
        assert await statuses("203.0.113.99", PASSWORD) == [429]
        assert await statuses("198.51.100.7", PASSWORD) == [200]
        assert await statuses("2001:db8:0:1::7", WRONG, WRONG, WRONG) == [401, 401, 429]
        assert await statuses("2001:db8:0:1:ffff::9", PASSWORD) == [429]
        assert await statuses("2001:db8:0:2::7", PASSWORD) == [200]
        # An IPv4 neighbour stays one when its address is mapped to IPv6.
        assert await statuses("::ffff:203.0.113.50", PASSWORD) == [429]


async def test_S19_the_lock_doubles_up_to_its_limit_and_a_success_resets_it(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=2, login_lock_s=100, login_lock_max_s=300) as api:
        user = await api.register()
        redis = api.state.redis.client

        async def fail() -> int:
            assert (await api.try_login(user, WRONG)).status_code == 401
            answer = await api.try_login(user)
            return int(answer.headers.get("retry-after", 0))

        async def time_passes() -> None:
            await redis.delete(*[key async for key in redis.scan_iter("auth:lock:*")])

        assert (await api.try_login(user, WRONG)).status_code == 401
        locks = []
        for _ in range(3):
            locks.append(await fail())
            await time_passes()
        assert locks == [pytest.approx(wanted, abs=2) for wanted in (100, 200, 300)]
        await api.login(user)
        assert (await api.try_login(user, WRONG)).status_code == 401
        await api.login(user)


@on_every_database
async def test_S12_of_two_changes_of_one_password_the_later_is_refused(
    api: Api, while_a_password_is_compared: Meanwhile
) -> None:
    user = await api.register()
    tokens = await api.login(user)

    async def change_to(new: str) -> int:
        body = {"current_password": user.password, "new_password": new}
        return (await api.post("/auth/change-password", body, tokens)).status_code

    while_a_password_is_compared(api, lambda: change_to("TheFirstOne1!"))
    assert await change_to("TheSecondOne2!") == 400
    await api.login(user, "TheFirstOne1!")
    assert (await api.try_login(user, "TheSecondOne2!")).status_code == 401


async def test_S12_a_wrong_current_password_is_refused_and_counts(start_app: AppFactory) -> None:
    async with start_app(login_failures_allowed=2) as api:
        user = await api.register()
        tokens = await api.login(user)
        change = {"current_password": WRONG, "new_password": "AnotherPass456!"}
        answers = [await api.post("/auth/change-password", change, tokens) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [400, 400, 429]
        assert (await api.try_login(user)).status_code == 429
        assert await api.me_status(tokens) == 200
