"""Which passwords there may be, and how they are kept."""

from __future__ import annotations

import re
import unicodedata
from uuid import UUID

import bcrypt
import pytest

from inference_core.auth.passwords.policy import common_passwords
from inference_core.auth.repository import AccountReads, UserRepository
from tests.service.conftest import AppFactory
from tests.service.security.conftest import Meanwhile
from tests.support.accounts import PASSWORD, Api, User
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

WRONG = "WrongPassword1"


async def stored_hash(api: Api, user: User) -> str:
    account = await AccountReads(api.state.database).by_login(user.username)
    assert account is not None
    return account.hashed_password


@pytest.mark.parametrize(
    "password",
    ["x" * 8, "x" * 128, "x y" * 40, "pass ünïcödé 密码 🔑", "justlowercaseletters", " leading and trailing "],
)
async def test_S14_any_characters_and_8_to_128_of_them_will_do(api: Api, password: str) -> None:
    await api.login(await api.register(password=password))


@pytest.mark.parametrize("password", ["short77", "x" * 129])
async def test_S14_shorter_and_longer_passwords_are_refused(api: Api, password: str) -> None:
    user = await api.register()
    tokens = await api.login(user)
    body = {"username": "somebody3", "email": "somebody3@example.com", "password": password}
    change = {"current_password": user.password, "new_password": password}
    reset = {"token": "x", "new_password": password}
    assert (await api.post("/auth/register", body)).status_code == 422
    assert (await api.post("/auth/change-password", change, tokens)).status_code == 422
    assert (await api.post("/auth/reset-password", reset)).status_code == 422


def test_S15_the_list_has_the_3000_most_common() -> None:
    common = common_passwords()
    assert len(common) == 3000
    assert common >= {"password", "12345678", "alphaman", "greyhoun"}  # the first two of the file and its last


@pytest.mark.parametrize("common", ["password", "Password1", "1234567890", "qwertyuiop", "greyhoun"])
async def test_S15_common_passwords_are_refused_wherever_one_is_set(api: Api, common: str) -> None:
    user = await api.register()
    tokens = await api.login(user)
    body = {"username": "somebody4", "email": "somebody4@example.com", "password": common}
    answers = [
        await api.post("/auth/register", body),
        await api.post("/auth/change-password", {"current_password": user.password, "new_password": common}, tokens),
        await api.post("/auth/reset-password", {"token": "x", "new_password": common}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, "password_too_common")] * 3


async def test_S16_the_whole_password_counts(api: Api) -> None:
    user = await api.register(password="a" * 72 + "b" * 28)
    assert (await api.try_login(user, "a" * 72 + "c" * 28)).status_code == 401
    assert (await api.try_login(user, "a" * 72)).status_code == 401
    await api.login(user)


async def test_S16_spaces_and_case_are_kept(api: Api) -> None:
    user = await api.register(password="  Spaced Ünicode  ")
    for other in ("Spaced Ünicode", "  spaced Ünicode  ", "  Spaced Unicode  "):
        assert (await api.try_login(user, other)).status_code == 401
    await api.login(user)


async def test_S16_two_spellings_of_the_same_text_are_two_passwords(api: Api) -> None:
    composed = unicodedata.normalize("NFC", "Ünïcödé ﬁne")
    decomposed, plain = unicodedata.normalize("NFD", composed), unicodedata.normalize("NFKC", composed)
    user = await api.register(password=composed)
    assert len({composed, decomposed, plain}) == 3
    for other in (decomposed, plain):
        assert (await api.try_login(user, other)).status_code == 401
    await api.login(user)
    await api.login(await api.register(password=decomposed))


async def test_S17_passwords_are_stored_as_argon2id_of_the_required_cost(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARGON2_MEMORY_KIB", "ARGON2_TIME_COST"):
        monkeypatch.delenv(name, raising=False)
    default = Settings(_env_file=None)
    cost = {"argon2_memory_kib": default.argon2_memory_kib, "argon2_time_cost": default.argon2_time_cost}
    async with start_app(**cost) as api:
        stored = await stored_hash(api, await api.register())
    found = re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$", stored)
    assert found is not None
    memory_kib, passes, lanes = map(int, found.groups())
    assert (memory_kib >= 19456, passes >= 2, lanes) == (True, True, 1)


@pytest.mark.parametrize("password", [PASSWORD, "long enough to be cut by bcrypt " * 3])
async def test_S17_a_bcrypt_hash_still_counts_and_is_replaced_at_the_next_login(api: Api, password: str) -> None:
    user = await api.register(password=password)
    legacy = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    async with api.state.database.write() as session:
        await UserRepository(session).rehash(UUID(user.id), await stored_hash(api, user), legacy)
    assert (await stored_hash(api, user)).startswith("$2b$")
    assert (await api.try_login(user, WRONG)).status_code == 401
    await api.login(user)
    assert (await stored_hash(api, user)).startswith("$argon2id$")
    await api.login(user)


@on_every_database
async def test_S17_a_hash_is_not_renewed_over_a_password_that_was_changed_meanwhile(
    api: Api, while_a_password_is_compared: Meanwhile
) -> None:
    user = await api.register()
    legacy = bcrypt.hashpw(user.password.encode(), bcrypt.gensalt(4)).decode()
    changed = await api.auth.passwords.hash("TheNewOne123!")
    async with api.state.database.write() as session:
        await UserRepository(session).rehash(UUID(user.id), await stored_hash(api, user), legacy)

    async def change() -> None:
        async with api.state.database.write() as session:
            await UserRepository(session).set_password(UUID(user.id), changed, kept_session_id=None)

    while_a_password_is_compared(api, change)
    tokens = await api.login(user)
    assert await stored_hash(api, user) == changed
    assert await api.me_status(tokens) == 401
