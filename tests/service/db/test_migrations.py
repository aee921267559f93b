"""Migrations: both ways, in agreement with the models, and safe when several processes start at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import inspect
from sqlalchemy.engine import Connection, make_url

from inference_core.core.db.base import Base
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.at_start import ensure_schema
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.revisions import SCRIPTS, current_revision, head_revision
from inference_core.core.db.migrations.run import downgrade, upgrade
from tests.support.servers.databases import create_database, on_every_database
from tests.support.settings import Settings, application

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_database(database_url: str, tmp_path: Path) -> str:
    """A database of the same kind without tables."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{tmp_path / 'not' / 'yet' / 'empty.db'}"
    return create_database(
        url.set(database=None).render_as_string(hide_password=False), f"empty_{secrets.token_hex(4)}"
    )


@pytest.fixture
def settings(empty_database: str) -> Settings:
    return Settings(_env_file=None, database_url=empty_database)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, {"compare_type": True}), Base.metadata))


async def ask(settings: Settings, question: Callable[[Connection], object]) -> object:
    async with Database.open(settings) as database, database.write_engine.connect() as connection:
        return await connection.run_sync(question)


@on_every_database
async def test_migrations_go_up_and_down_and_make_what_the_models_say(settings: Settings) -> None:
    await asyncio.to_thread(upgrade, settings)
    assert await ask(settings, tables) == set(Base.metadata.tables)
    assert await ask(settings, differences) == []
    await asyncio.to_thread(downgrade, settings)
    assert await ask(settings, tables) == set()
    await asyncio.to_thread(upgrade, settings)
    await asyncio.to_thread(upgrade, settings)
    assert await ask(settings, tables) == set(Base.metadata.tables)


def test_the_newest_revision_is_the_one_that_alembic_finds() -> None:
    assert head_revision() == ScriptDirectory(str(SCRIPTS)).get_current_head()


@pytest.mark.parametrize(
    ("third", "newest"),
    [
        ("revision: str = 'c3'\ndown_revision: str | None = 'b2'\n", "c3"),
        ("revision = 'c3'\ndown_revision = ('b2', 'a1')\n", "c3"),
        ("# down_revision = 'b2' until this one is done\n", "b2"),
    ],
)
def test_the_newest_revision_is_found_however_a_script_writes_it(third: str, newest: str, tmp_path: Path) -> None:
    write_scripts(tmp_path, third)
    assert head_revision(tmp_path) == newest


def test_two_newest_revisions_are_one_line(tmp_path: Path) -> None:
    write_scripts(tmp_path, 'revision = "c3"\ndown_revision = "a1"\n')
    with pytest.raises(MigrationError, match="one revision must be the newest, found b2, c3") as raised:
        head_revision(tmp_path)
    assert "\n" not in str(raised.value)


def write_scripts(folder: Path, third: str) -> None:
    (folder / "versions").mkdir()
    for number, text in enumerate(
        ['revision = "a1"\ndown_revision = None\n', 'revision = "b2"\ndown_revision = "a1"\n', third]
    ):
        (folder / "versions" / f"r{number}.py").write_text(text)


@on_every_database
async def test_several_processes_may_migrate_at_once(settings: Settings) -> None:
    await asyncio.gather(*(asyncio.to_thread(upgrade, settings) for _ in range(4)))
    assert await ask(settings, tables) == set(Base.metadata.tables)


@on_every_database
async def test_development_migrates_by_itself_and_production_says_what_to_run(settings: Settings) -> None:
    production = settings.model_copy(update={"environment": "production"})
    async with Database.open(settings) as database:
        with pytest.raises(MigrationError, match="inference-core migrate") as raised:
            await ensure_schema(production, database)
        assert "\n" not in str(raised.value)
        assert await current_revision(database) is None
        await ensure_schema(settings, database)
        assert await current_revision(database) == head_revision()
        await ensure_schema(production, database)


@pytest.mark.parametrize(
    "url", ["postgresql://somebody:topsecret@127.0.0.1:1/x", "mysql://somebody:topsecret@127.0.0.1:1/x"]
)
async def test_an_unreachable_database_is_one_line_without_its_password(url: str) -> None:
    settings = Settings(_env_file=None, database_url=url)
    with pytest.raises(MigrationError, match=r"127\.0\.0\.1:1") as raised:
        await asyncio.to_thread(upgrade, settings)
    assert "topsecret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    production = settings.model_copy(update={"environment": "production"})
    async with Database.open(settings) as database:
        await ensure_schema(production, database)  # starts anyway: health says that the database is down
        with pytest.raises(MigrationError):
            await ensure_schema(settings, database)


async def test_a_server_that_may_not_start_says_why_in_one_line(settings: Settings, redis_url: str) -> None:
    own = {"environment": "production", "secret_key": SecretStr("s" * 32), "redis_url": redis_url}
    app, sent = application(settings.model_copy(update=own)), list[dict[str, Any]]()

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(MigrationError):
        await app({"type": "lifespan", "state": {}}, receive, send)
    (message,) = sent
    assert message["message"].startswith("database: the schema is empty")
    assert message["message"].endswith("run: inference-core migrate")
