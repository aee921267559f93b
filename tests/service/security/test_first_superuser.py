"""The superuser that the application creates at its start from the settings."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from inference_core.auth.admin import first_superuser as first_superuser_module
from inference_core.auth.admin.first_superuser import create_first_superuser
from inference_core.auth.models import User
from inference_core.auth.passwords.hashing import Passwords
from inference_core.auth.repository import Account, AccountReads
from inference_core.core.db.engine import Database, DatabaseUnavailableError
from inference_core.core.settings import SettingsError
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, new_name
from tests.support.accounts import User as Registered
from tests.support.processes import wait_until
from tests.support.servers.databases import on_every_database
from tests.support.service import api_process, service_env
from tests.support.settings import Settings, application, load_settings

pytestmark = pytest.mark.anyio

SECRET = "a fine long pass phrase"


def first_superuser(**changes: str) -> dict[str, str]:
    name = new_name()
    values = {"username": name, "email": f"{name}@example.com", "password": SECRET} | changes
    return {f"first_superuser_{field}": value for field, value in values.items()}


async def is_superuser(api: Api, user: Registered) -> bool:
    return (await api.get("/admin/users", await api.login(user))).status_code == 200


@on_every_database
async def test_S43_the_application_creates_it_at_its_start_and_only_once(
    start_app: AppFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    own = first_superuser()
    user = Registered("", own["first_superuser_username"], own["first_superuser_email"], SECRET)
    for _ in range(2):
        async with start_app(**own) as api:
            profile = (await api.get("/auth/me", await api.login(user))).json()
            assert (profile["email"], profile["is_verified"]) == (user.email, True)
            assert await is_superuser(api, user)
            assert SECRET not in f"{api.settings!r}{api.settings}{api.settings.model_dump()}"
    logged = "".join(capfd.readouterr())
    assert logged.count('"superuser_created"') == 1
    assert "first_superuser_not_created" not in logged
    assert SECRET not in logged


@on_every_database
async def test_S43_several_processes_that_start_at_once_create_one(
    service_settings: Callable[..., Settings],
) -> None:
    settings = service_settings(**first_superuser())

    async def start() -> None:
        passwords = Passwords(settings)
        try:
            async with Database.open(settings) as database:
                await create_first_superuser(settings, passwords, database)
        finally:
            passwords.close()

    await asyncio.gather(*(start() for _ in range(6)))
    async with Database.open(settings) as database, database.read() as session:
        wanted = User.username == settings.first_superuser_username
        found = await session.execute(select(func.count()).select_from(User).where(wanted, User.is_superuser))
        assert found.scalar_one() == 1


async def test_S43_an_existing_account_is_not_changed(start_app: AppFactory, capfd: pytest.CaptureFixture[str]) -> None:
    async with start_app() as api:
        user, operator = await api.register(), await api.register_superuser()
    for taken in ({"username": user.username.upper()}, {"email": user.email.upper()}):
        async with start_app(**first_superuser(**taken)) as api:
            assert not await is_superuser(api, user)
            assert (await api.try_login(user, SECRET)).status_code == 401
        assert "its user name or email has an ordinary account" in "".join(capfd.readouterr())
    own = first_superuser(username=operator.username, email=operator.email)
    async with start_app(**own) as api:
        assert await is_superuser(api, operator)
        assert (await api.try_login(operator, SECRET)).status_code == 401
    assert "first_superuser_not_created" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("wrong", "lines"),
    [
        ({"password": "Password1"}, ["PASSWORD: this password is too common"]),
        ({"password": "seven77"}, ["PASSWORD: string should have at least 8 characters"]),
        ({"password": "x" * 129}, ["PASSWORD: string should have at most 128 characters"]),
        (
            {"username": "the boss", "email": "nowhere"},
            ["USERNAME: string should match pattern", "EMAIL: value is not"],
        ),
    ],
)
def test_S43_what_registration_would_refuse_is_refused_in_one_line(wrong: dict[str, str], lines: list[str]) -> None:
    values = first_superuser(**wrong)
    with pytest.raises(SettingsError) as raised:
        application(Settings(_env_file=None, **values))
    found = str(raised.value).splitlines()
    assert len(found) == len(lines)
    for line, expected in zip(found, lines, strict=True):
        assert line.startswith(f"settings: FIRST_SUPERUSER_{expected}")
    password = values["first_superuser_password"]
    assert not password or password not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("missing", [["username"], ["email", "password"], ["username", "email"], ["password"]])
def test_S43_all_three_values_are_set_or_none(missing: list[str], tmp_path: Path) -> None:
    values = first_superuser()
    env = tmp_path / ".env"
    given = {name: value for name, value in values.items() if name.removeprefix("first_superuser_") not in missing}
    env.write_text("".join(f"{name.upper()}={value}\n" for name, value in given.items()))
    with pytest.raises(SettingsError) as raised:
        load_settings(env)
    (line,) = str(raised.value).splitlines()
    names = " and ".join(f"FIRST_SUPERUSER_{name.upper()}" for name in missing)
    assert line.startswith(f"settings: {names} must be set with FIRST_SUPERUSER_")
    assert SECRET not in line


async def test_S43_production_starts_without_its_database(
    start_app: AppFactory, capfd: pytest.CaptureFixture[str]
) -> None:
    unreachable = "postgresql://somebody:topsecret@127.0.0.1:1/x"
    own = {"environment": "production", "secret_key": "s" * 40, "database_url": unreachable}
    async with start_app(**own, **first_superuser()) as api:
        assert (await api.get("/health/live")).status_code == 200
    logged = "".join(capfd.readouterr())
    assert "first_superuser_not_created" in logged
    assert SECRET not in logged
    assert "topsecret" not in logged


async def test_S43_it_is_created_when_the_database_responds(
    start_app: AppFactory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tries: list[str] = []
    find = AccountReads.by_login

    async def find_later(self: AccountReads, login: str) -> Account | None:
        tries.append(login)
        if len(tries) <= 3:
            raise DatabaseUnavailableError
        return await find(self, login)

    monkeypatch.setattr(AccountReads, "by_login", find_later)
    monkeypatch.setattr(first_superuser_module, "RETRY_EVERY_S", 0.01)
    own = first_superuser()
    user = Registered("", own["first_superuser_username"], own["first_superuser_email"], SECRET)
    async with start_app(**own) as api, asyncio.timeout(20):
        while await find(AccountReads(api.state.database), user.username) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert await is_superuser(api, user)
    logged = "".join(capfd.readouterr())
    assert (logged.count('"first_superuser_not_created"'), logged.count('"superuser_created"')) == (1, 1)


def test_S43_the_workers_of_a_server_create_one_and_log_no_password(redis_url: str, tmp_path: Path) -> None:
    own = {name.upper(): value for name, value in first_superuser().items()}
    env = service_env(tmp_path, redis_url, LOG_FORMAT="json", **own)
    with api_process(tmp_path, env, "--workers", "3") as api:
        wait_until(lambda: api.log.read_text().count("Application startup complete") == 3, what="three workers")
        with api.client() as client:
            login = {"username": own["FIRST_SUPERUSER_USERNAME"], "password": SECRET}
            answer = client.post("/api/v1/auth/login", json=login)
            assert answer.status_code == 200
            bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            assert client.get("/api/v1/admin/users", headers=bearer).status_code == 200
    connection = sqlite3.connect(tmp_path / "service.db")
    try:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)
    finally:
        connection.close()
    logged = api.log.read_text()
    assert logged.count('"superuser_created"') == 1
    assert SECRET not in logged
