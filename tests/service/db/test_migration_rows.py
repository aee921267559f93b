"""Migrations keep every row that they do not declare to delete, and undo all of a run that fails."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from inference_core.core.db.engine import Database
from inference_core.core.db.migrations import run as migrate
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.revisions import current_revision
from inference_core.core.db.migrations.run import downgrade, upgrade
from tests.support.processes import wait_until
from tests.support.servers.databases import create_database, on_every_database
from tests.support.settings import Settings

USER = "'{id}', '{name}', '{name}@example.com', 'x', true, true, false, 1"
NOW = "'2026-01-01 00:00:00'"
FILL = [
    *(
        "INSERT INTO users (id, username, email, hashed_password, is_active, is_verified, is_superuser, token_version,"
        f" created_at, updated_at) VALUES ({USER.format(id=number * 32, name=f'u{number}')}, {NOW}, {NOW})"
        for number in "12"
    ),
    f"INSERT INTO one_time_tokens VALUES ('{'1' * 32}', 'reset', 'h', {NOW})",
    *(
        f"INSERT INTO llm_sessions VALUES ('{session * 32}', '{user * 32}', 't', 2, {NOW}, {NOW})"
        for session, user in ("a1", "b2")
    ),
    *(
        f"INSERT INTO llm_turns VALUES ('{session * 32}', {position}, 'user', 'hi', true, NULL, {NOW})"
        for session in "ab"
        for position in (0, 1)
    ),
]
ROWS = {"users": 2, "one_time_tokens": 1, "llm_sessions": 2, "llm_turns": 4}

REBUILD = """
    with op.batch_alter_table("{table}", recreate="always") as batch:
        batch.alter_column("{column}", type_=sa.String({length}), existing_type=sa.String({existing}))"""


def rebuild(table: str, column: str, length: int, existing: int) -> str:
    return REBUILD.format(table=table, column=column, length=length, existing=existing)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the first two migrations, to which a test adds its own."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, copy, ignore=shutil.ignore_patterns("__pycache__", "r000[3-9]*", "r00[1-9]*"))
    monkeypatch.setattr(migrate, "SCRIPTS", copy)
    return copy


def add(scripts: Path, revision: str, *, up: str, down: str = "pass", more: str = "", after: str = "0002") -> None:
    (scripts / "versions" / f"r{revision}_x.py").write_text(
        f"import os\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = {revision!r}\n"
        f"down_revision = {after!r}\nbranch_labels = None\ndepends_on = None\n{more}\n\n\n"
        f"def upgrade() -> None:\n    {up}\n\n\ndef downgrade() -> None:\n    {down}\n"
    )


def filled(url: str) -> Settings:
    settings = Settings(_env_file=None, database_url=url)
    upgrade(settings, "0002")
    execute(settings, *FILL)
    return settings


def execute(settings: Settings, *statements: str) -> list[Any]:
    async def run() -> list[Any]:
        async with Database.open(settings) as database, database.write_engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return list(results[-1]) if results[-1].returns_rows else []

    return asyncio.run(run())


def revision(settings: Settings) -> str | None:
    async def run() -> str | None:
        async with Database.open(settings) as database:
            return await current_revision(database)

    return asyncio.run(run())


def rows(settings: Settings) -> dict[str, int]:
    return {name: execute(settings, f"SELECT count(*) FROM {name}")[0][0] for name in ROWS}


def read(settings: Settings, statement: str) -> list[Any]:
    """What another process reads from an SQLite file, whoever writes it."""
    with contextlib.closing(sqlite3.connect(make_url(settings.database_url).database or "")) as connection:
        return connection.execute(statement).fetchall()


def assert_sound(settings: Settings) -> None:
    assert rows(settings) == ROWS
    assert execute(settings, "PRAGMA foreign_key_check") == []
    assert execute(settings, "PRAGMA integrity_check") == [("ok",)]


@pytest.fixture
def settings(scripts: Path, tmp_path: Path) -> Settings:
    return filled(f"sqlite:///{tmp_path / 'rows.db'}")


@pytest.fixture
def any_settings(scripts: Path, database_url: str, tmp_path: Path) -> Settings:
    """A filled database of each kind."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return filled(f"sqlite:///{tmp_path / 'rows.db'}")
    server = url.set(database=None).render_as_string(hide_password=False)
    return filled(create_database(server, f"rows_{secrets.token_hex(4)}"))


REBUILT = {
    "a parent of everything": rebuild("users", "first_name", 120, 100),
    "a parent that is a child": rebuild("llm_sessions", "title", 100, 80),
    "a child with a composite key": rebuild("llm_turns", "role", 20, 16),
    "a table with a composite key": rebuild("one_time_tokens", "purpose", 20, 16),
    "all of them": "".join(
        rebuild(*of)
        for of in [("users", "first_name", 120, 100), ("llm_sessions", "title", 90, 80), ("llm_turns", "role", 20, 16)]
    ),
}


@pytest.mark.parametrize("rebuilt", REBUILT.values(), ids=REBUILT)
def test_a_rebuilt_table_keeps_its_rows_and_those_that_refer_to_it(
    settings: Settings, scripts: Path, rebuilt: str
) -> None:
    add(scripts, "0003", up=rebuilt.lstrip(), down=rebuilt.lstrip())
    upgrade(settings)
    assert revision(settings) == "0003"
    assert_sound(settings)
    downgrade(settings, "0002")
    assert revision(settings) == "0002"
    assert_sound(settings)


def test_two_migrations_of_one_upgrade_keep_every_row(settings: Settings, scripts: Path) -> None:
    add(scripts, "0003", up=rebuild("users", "first_name", 120, 100).lstrip())
    add(scripts, "0004", up=rebuild("users", "last_name", 120, 100).lstrip(), after="0003")
    upgrade(settings)
    assert revision(settings) == "0004"
    assert_sound(settings)


def test_references_that_would_be_set_to_null_are_kept(settings: Settings, scripts: Path) -> None:
    execute(
        settings,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, owner CHAR(32) REFERENCES users (id) ON DELETE SET NULL,"
        " parent INTEGER REFERENCES notes (id) ON DELETE SET NULL)",
        f"INSERT INTO notes VALUES (1, '{'1' * 32}', NULL), (2, '{'2' * 32}', 1)",
    )
    add(scripts, "0003", up=rebuild("users", "first_name", 120, 100).lstrip())
    batch = 'with op.batch_alter_table("notes", recreate="always") as batch:'
    batch += '\n        batch.add_column(sa.Column("x", sa.Text()))'
    add(scripts, "0004", up=batch, after="0003")
    upgrade(settings)
    assert execute(settings, "SELECT id, owner, parent FROM notes ORDER BY id") == [
        (1, "1" * 32, None),
        (2, "2" * 32, 1),
    ]
    assert_sound(settings)


UNDECLARED = [
    (
        'op.execute("DELETE FROM llm_turns WHERE position = 0")',
        'llm_turns had 4 rows and has 2; if this is intended, add to it: upgrade_deletes_from = ("llm_turns",)',
    ),
    ('op.drop_table("one_time_tokens")', "one_time_tokens had 1 rows and has 0"),
]


@pytest.mark.parametrize(("up", "expected"), UNDECLARED)
@on_every_database
def test_an_undeclared_loss_fails_in_one_line_and_is_undone(
    any_settings: Settings, scripts: Path, up: str, expected: str
) -> None:
    undone = not (up.startswith("op.drop") and "mysql" in any_settings.database_url)
    add(scripts, "0003", up=up)
    with pytest.raises(MigrationError) as raised:
        upgrade(any_settings)
    assert f"migration r0003_x.py deletes rows that it does not declare: {expected}" in str(raised.value)
    assert ("nothing was changed" in str(raised.value)) == ("mysql" not in any_settings.database_url)
    assert "\n" not in str(raised.value)
    assert revision(any_settings) == "0002"
    if undone:
        assert rows(any_settings) == ROWS


@on_every_database
def test_what_a_cascade_deletes_must_be_declared_too(any_settings: Settings, scripts: Path) -> None:
    sqlite = "sqlite" in any_settings.database_url
    add(scripts, "0003", up='op.execute("DELETE FROM users")', more='upgrade_deletes_from = ("users",)')
    with pytest.raises(MigrationError) as raised:
        upgrade(any_settings)
    # SQLite does not enforce foreign keys in a migration: what the others delete is left without its parent.
    expected = "1 of one_time_tokens to users" if sqlite else "llm_turns had 4 rows and has 0"
    assert expected in str(raised.value)
    assert rows(any_settings) == ROWS
    assert revision(any_settings) == "0002"


@on_every_database
def test_a_declared_loss_is_carried_out_in_both_directions(any_settings: Settings, scripts: Path) -> None:
    add(
        scripts,
        "0003",
        up='op.execute("DELETE FROM llm_turns WHERE position = 1")',
        down='op.execute("DELETE FROM llm_turns")',
        more='upgrade_deletes_from = ("llm_turns",)\ndowngrade_deletes_from = ("llm_turns",)',
    )
    upgrade(any_settings)
    assert rows(any_settings) == ROWS | {"llm_turns": 2}
    downgrade(any_settings, "0002")
    assert rows(any_settings) == ROWS | {"llm_turns": 0}
    assert revision(any_settings) == "0002"


def test_a_renamed_table_is_no_loss(settings: Settings, scripts: Path) -> None:
    up = rebuild("llm_turns", "role", 20, 16).lstrip() + '\n    op.rename_table("llm_turns", "llm_messages")'
    add(scripts, "0003", up=up)
    upgrade(settings)
    assert execute(settings, "SELECT count(*) FROM llm_messages") == [(4,)]
    assert execute(settings, "PRAGMA foreign_key_check") == []


def test_references_that_were_broken_before_do_not_stop_a_migration(settings: Settings, scripts: Path) -> None:
    with contextlib.closing(sqlite3.connect(make_url(settings.database_url).database or "")) as connection:
        connection.execute(f"INSERT INTO one_time_tokens VALUES ('{'9' * 32}', 'reset', 'k', {NOW})")
        connection.commit()
    add(scripts, "0003", up=rebuild("users", "first_name", 120, 100).lstrip())
    upgrade(settings)
    assert rows(settings) == ROWS | {"one_time_tokens": 2}


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        ("os.nothing", "AttributeError: module 'os' has no attribute 'nothing'"),
        ('op.execute("SELECT * FROM nowhere")', "nowhere"),
        ('raise ValueError("first\\nsecond")', "ValueError: first"),
        ("assert False", "AssertionError: no details"),
    ],
)
def test_an_error_in_a_migration_is_one_line_that_names_its_place_and_undoes_the_run(
    settings: Settings, scripts: Path, failing: str, reason: str
) -> None:
    add(scripts, "0003", up=rebuild("users", "first_name", 120, 100).lstrip())
    add(
        scripts,
        "0004",
        up=f"op.execute(\"INSERT INTO ended_sessions VALUES ('x', {NOW})\")\n    {failing}",
        after="0003",
    )
    with pytest.raises(MigrationError) as raised:
        upgrade(settings)
    message = str(raised.value)
    assert message.startswith("database: the migration stopped at r0004_x.py, line 14: ")
    assert reason in message
    assert message.endswith("nothing was changed")
    assert "\n" not in message
    assert revision(settings) == "0002"
    assert_sound(settings)
    assert execute(settings, "SELECT * FROM ended_sessions") == []


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_a_failed_second_migration_leaves_a_server_where_it_can_go_on(any_settings: Settings, scripts: Path) -> None:
    add(scripts, "0003", up='op.add_column("users", sa.Column("nick", sa.String(10)))')
    add(scripts, "0004", up="os.nothing", after="0003")
    with pytest.raises(MigrationError, match=r"r0004_x\.py, line 13"):
        upgrade(any_settings)
    # A server that commits changes of tables by itself has also noted them.
    assert revision(any_settings) == ("0002" if "postgresql" in any_settings.database_url else "0003")
    add(scripts, "0004", up='op.add_column("users", sa.Column("nack", sa.String(10)))', after="0003")
    upgrade(any_settings)
    assert revision(any_settings) == "0004"
    assert rows(any_settings) == ROWS


@on_every_database
def test_a_schema_of_a_newer_version_is_one_line(any_settings: Settings) -> None:
    execute(any_settings, "UPDATE alembic_version SET version_num = 'r9999'")
    with pytest.raises(MigrationError, match=r"'r9999'; a newer version of the service has migrated it") as raised:
        upgrade(any_settings)
    assert "\n" not in str(raised.value)


RUN = (
    "import sys, pathlib; from inference_core.core.db.migrations import run as migrate;"
    "from tests.support.settings import Settings;"
    "migrate.SCRIPTS = pathlib.Path(sys.argv[1]);"
    "migrate.upgrade(Settings(_env_file=None, database_url=sys.argv[2]))"
)


def start_upgrade(settings: Settings, scripts: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(scripts), settings.database_url])


def test_a_process_killed_in_the_middle_loses_nothing_and_the_next_goes_on(settings: Settings, scripts: Path) -> None:
    crash = f"{rebuild('users', 'first_name', 120, 100).lstrip()}\n    os.kill(os.getpid(), {signal.SIGKILL:d})"
    add(scripts, "0003", up=crash)
    assert start_upgrade(settings, scripts).wait(60) == -signal.SIGKILL
    assert revision(settings) == "0002"
    assert_sound(settings)
    add(scripts, "0003", up=rebuild("users", "first_name", 120, 100).lstrip())
    upgrade(settings)
    assert_sound(settings)


def test_a_second_process_waits_for_the_first_and_a_writer_loses_nothing(
    settings: Settings, scripts: Path, tmp_path: Path
) -> None:
    """The first is held in the middle of its migration until the second waits and a writer has been tried."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    wait = (
        f"open({str(begun)!r}, 'w').close()\n    while not os.path.exists({str(go)!r}): __import__('time').sleep(0.01)"
    )
    add(scripts, "0003", up=f"{rebuild('users', 'first_name', 120, 100).lstrip()}\n    {wait}")
    first = start_upgrade(settings, scripts)
    try:
        wait_until(begun.exists, what="the first process in its migration")
        with ThreadPoolExecutor(2) as pool:
            second = pool.submit(upgrade, settings)
            writing = pool.submit(execute, settings, f"INSERT INTO ended_sessions VALUES ('x', {NOW})")
            assert read(settings, "SELECT version_num FROM alembic_version") == [("0002",)]
            assert read(settings, "SELECT count(*) FROM llm_turns") == [(4,)]
            assert not second.done()
            assert not writing.done()
            go.touch()
            second.result(30)
            writing.result(30)
        assert first.wait(30) == 0
    finally:
        first.kill()
        first.wait()
    assert revision(settings) == "0003"
    assert_sound(settings)
    assert execute(settings, "SELECT count(*) FROM ended_sessions") == [(1,)]
