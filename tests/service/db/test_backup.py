"""Restore drills: a database is backed up, lost and restored with the commands that `docs/backup.md` prints."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread
import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from inference_core.auth.models import Role, RolePermission, UserRole
from inference_core.core.db.base import Base
from inference_core.tasks.feature import READ_MONITORING
from tests.docs.pages import BASH
from tests.service.conftest import AppFactory
from tests.support.accounts import Api, Tokens, User, new_name
from tests.support.deploy_tools import debian_tool
from tests.support.servers.databases import create_database, run_on_server
from tests.support.stack import BIN, ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.full]

PAGE = (ROOT / "docs" / "backup.md").read_text()
NAME = "Zoë 🦉"
OTHER_KEY = "another secret key of another service"
RESTORED = "restored"


def commands(section: str) -> tuple[str, str]:
    """Return the commands of a section of the page that back up, and those that restore."""
    (text,) = re.findall(rf"^## {section}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    back_up, restore = BASH.findall(text)
    return back_up, restore


@dataclass
class Drill:
    """A database of the service, with what a reader of the page provides."""

    section: str
    folder: Path
    url: str
    lose: Callable[[], None]
    restored_url: str
    variables: dict[str, str] = field(default_factory=dict)
    database: str = "service"

    async def back_up(self) -> str:
        return await self._run(commands(self.section)[0])

    async def restore(self) -> str:
        return await self._run(commands(self.section)[1])

    async def _run(self, script: str) -> str:
        """Run commands of the page. Return what they print."""
        env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.folder), "ENVIRONMENT": "testing"}
        # The databases of a server that tests share need names of their own.
        command = ["bash", "-euo", "pipefail", "-c", script.replace(" service > ", f" {self.database} > ")]
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                command, cwd=self.folder, env=env | self.variables, capture_output=True, text=True, check=False
            )
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def drill(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Drill]:
    """A drill on a kind of database."""
    if kind == "sqlite":
        debian_tool("sqlite3", "sqlite3")
        path = tmp_path / "service.db"
        yield Drill(
            "SQLite", tmp_path, f"sqlite:///{path}", lambda: path.write_bytes(b"\0" * 4096), f"sqlite:///{path}"
        )
        return
    server_url: str = request.getfixturevalue(kind)
    database = f"drill_{secrets.token_hex(4)}"
    url = create_database(server_url, database)
    restored_url = make_url(server_url).set(database=RESTORED).render_as_string(hide_password=False)
    drill = _postgresql if kind == "postgresql" else _mariadb
    yield drill(server_url, tmp_path, url, restored_url)
    run_on_server(server_url, f"DROP DATABASE {RESTORED}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def _postgresql(server_url: str, folder: Path, url: str, restored_url: str) -> Drill:
    create_role = "DO $$ BEGIN CREATE ROLE service LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    run_on_server(server_url, create_role)
    variables = {
        "DATABASE_URL": url,
        "ADMIN_URL": f"{server_url}/postgres",
        "RESTORED_URL": restored_url.replace("//test@", "//service@"),
    }
    lose = f"DROP DATABASE {make_url(url).database} WITH (FORCE)"
    return Drill(
        "PostgreSQL", folder, url, lambda: run_on_server(server_url, lose), variables["RESTORED_URL"], variables
    )


def _mariadb(server_url: str, folder: Path, url: str, restored_url: str) -> Drill:
    server, database = make_url(server_url), make_url(url).database or ""
    login = f"[client]\nhost = {server.host}\nport = {server.port}\nuser = test\npassword = test\n"
    (folder / "backup.cnf").write_text(login)
    lose = f"DROP DATABASE {database}"
    return Drill(
        "MariaDB and MySQL",
        folder,
        url,
        lambda: run_on_server(server_url, lose),
        restored_url,
        {"RESTORED_URL": restored_url},
        database,
    )


@dataclass(frozen=True)
class Filled:
    """What a user had before the backup."""

    user: User
    tokens: Tokens
    key: dict[str, str]
    rows: dict[str, list[str]]


async def fill(api: Api) -> Filled:
    """Make an account with a role and an API key."""
    user = await api.register(first_name=NAME)
    role = new_name()
    async with api.state.database.write() as session:
        await session.execute(insert(Role).values(name=role))
        await session.execute(insert(RolePermission).values(role=role, permission=READ_MONITORING))
        await session.execute(insert(UserRole).values(user_id=UUID(user.id), role=role))
    tokens = await api.login(user)
    body = {"name": "machine", "scopes": [READ_MONITORING], "expires_in_days": None}
    answer = await api.post("/auth/api-keys", body, tokens)
    assert answer.status_code == 201, answer.text
    return Filled(user, tokens, {"Authorization": f"Bearer {answer.json()['key']}"}, await rows(api))


def restarted(drill: Drill) -> dict[str, str]:
    """Return the settings of a service with the restored database. A new prefix stands for an empty Redis."""
    return {"database_url": drill.restored_url, "redis_prefix": new_name(), "monitoring_access": "superuser"}


async def rows(api: Api) -> dict[str, list[str]]:
    """Return the rows of every table, without the time at which a key was used."""
    found: dict[str, list[str]] = {}
    async with api.state.database.read() as session:
        for table in Base.metadata.sorted_tables:
            columns: Any = [column for column in table.columns if column.name != "last_used_at"]
            found[table.name] = sorted(map(repr, (await session.execute(select(*columns))).all()))
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
async def test_a_lost_database_is_restored_with_the_commands_of_the_page(
    kind: str, drill: Drill, start_app: AppFactory
) -> None:
    async with start_app(database_url=drill.url, redis_prefix=new_name()) as api:
        filled = await fill(api)
        said = await drill.back_up()  # while the service runs
        later = await api.register()
    assert "ok" in said or kind != "sqlite"
    await anyio.to_thread.run_sync(drill.lose)
    said = await drill.restore()
    assert said.count("(newest)") == 2  # the histories of accounts and llm

    async with start_app(**restarted(drill)) as api:
        assert await rows(api) == filled.rows
        assert (await api.get("/health/ready")).status_code == 200
        assert (await api.try_refresh(filled.tokens)).status_code == 401
        profile = await api.get("/auth/me", filled.tokens)
        assert (profile.json()["id"], profile.json()["first_name"]) == (filled.user.id, NAME)
        assert await api.me_status(await api.login(filled.user)) == 200
        assert (await api.get("/tasks/health", headers=filled.key)).status_code == 200
        assert (await api.try_login(later)).status_code == 401

    async with start_app(**restarted(drill), secret_key=OTHER_KEY) as api:
        assert await api.me_status(filled.tokens) == 401
        assert (await api.try_refresh(filled.tokens)).status_code == 401
        assert await api.me_status(await api.login(filled.user)) == 200
        assert (await api.get("/tasks/health", headers=filled.key)).status_code == 200
