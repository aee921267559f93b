"""Migrations keep every row that they do not declare to delete, and undo all of a run that fails."""

from __future__ import annotations

import asyncio
import contextlib
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
from inference_core.core.db.migrations.errors import MigrationError
from inference_core.core.db.migrations.run import current, downgrade, upgrade
from tests.support.migrations import Written, written_service
from tests.support.processes import wait_until
from tests.support.servers.databases import on_every_database
from tests.support.settings import Settings
from tests.support.settings import service as built_in

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
def scripts(packages: Path) -> Written:
    """The first migration of each feature, and a feature to which a test adds its own."""
    return written_service(packages)


def filled(url: str, scripts: Written) -> Settings:
    settings = Settings(_env_file=None, database_url=url)
    upgrade(scripts.service, settings)
    execute(settings, *FILL)
    return settings


def execute(settings: Settings, *statements: str) -> list[Any]:
    async def run() -> list[Any]:
        async with Database.open(settings) as database, database.write_engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return list(results[-1]) if results[-1].returns_rows else []

    return asyncio.run(run())


def revision(settings: Settings) -> str | None:
    """The revision of the feature `notes`, the others being at their first."""
    *others, own = current(built_in, settings)
    assert others == ["accounts_0001", "llm_0001"]
    return own


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
def settings(scripts: Written, tmp_path: Path) -> Settings:
    return filled(f"sqlite:///{tmp_path / 'rows.db'}", scripts)


@pytest.fixture
def any_settings(scripts: Written, empty_database: str) -> Settings:
    """A filled database of each kind."""
    return filled(empty_database, scripts)


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
    settings: Settings, scripts: Written, rebuilt: str
) -> None:
    scripts.add("0002", up=rebuilt.lstrip(), down=rebuilt.lstrip())
    upgrade(scripts.service, settings)
    assert revision(settings) == "notes_0002"
    assert_sound(settings)
    downgrade(scripts.service, settings, "notes_0001")
    assert revision(settings) == "notes_0001"
    assert_sound(settings)


def test_two_migrations_of_one_upgrade_keep_every_row(settings: Settings, scripts: Written) -> None:
    scripts.add("0002", up=rebuild("users", "first_name", 120, 100).lstrip())
    scripts.add("0003", up=rebuild("users", "last_name", 120, 100).lstrip(), after="0002")
    upgrade(scripts.service, settings)
    assert revision(settings) == "notes_0003"
    assert_sound(settings)


def test_references_that_would_be_set_to_null_are_kept(settings: Settings, scripts: Written) -> None:
    execute(
        settings,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, owner CHAR(32) REFERENCES users (id) ON DELETE SET NULL,"
        " parent INTEGER REFERENCES notes (id) ON DELETE SET NULL)",
        f"INSERT INTO notes VALUES (1, '{'1' * 32}', NULL), (2, '{'2' * 32}', 1)",
    )
    scripts.add("0002", up=rebuild("users", "first_name", 120, 100).lstrip())
    batch = 'with op.batch_alter_table("notes", recreate="always") as batch:'
    batch += '\n        batch.add_column(sa.Column("x", sa.Text()))'
    scripts.add("0003", up=batch, after="0002")
    upgrade(scripts.service, settings)
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
    any_settings: Settings, scripts: Written, up: str, expected: str
) -> None:
    undone = not (up.startswith("op.drop") and "mysql" in any_settings.database_url)
    scripts.add("0002", up=up)
    with pytest.raises(MigrationError) as raised:
        upgrade(scripts.service, any_settings)
    assert f"migration r0002_x.py deletes rows that it does not declare: {expected}" in str(raised.value)
    assert ("nothing was changed" in str(raised.value)) == ("mysql" not in any_settings.database_url)
    assert "\n" not in str(raised.value)
    assert revision(any_settings) == "notes_0001"
    if undone:
        assert rows(any_settings) == ROWS


@on_every_database
def test_what_a_cascade_deletes_must_be_declared_too(any_settings: Settings, scripts: Written) -> None:
    sqlite = "sqlite" in any_settings.database_url
    scripts.add("0002", up='op.execute("DELETE FROM users")', more='upgrade_deletes_from = ("users",)')
    with pytest.raises(MigrationError) as raised:
        upgrade(scripts.service, any_settings)
    # SQLite does not enforce foreign keys in a migration: what the others delete is left without its parent.
    expected = "1 of one_time_tokens to users" if sqlite else "llm_turns had 4 rows and has 0"
    assert expected in str(raised.value)
    assert rows(any_settings) == ROWS
    assert revision(any_settings) == "notes_0001"


@on_every_database
def test_a_declared_loss_is_carried_out_in_both_directions(any_settings: Settings, scripts: Written) -> None:
    scripts.add(
        "0002",
        up='op.execute("DELETE FROM llm_turns WHERE position = 1")',
        down='op.execute("DELETE FROM llm_turns")',
        more='upgrade_deletes_from = ("llm_turns",)\ndowngrade_deletes_from = ("llm_turns",)',
    )
    upgrade(scripts.service, any_settings)
    assert rows(any_settings) == ROWS | {"llm_turns": 2}
    downgrade(scripts.service, any_settings, "notes_0001")
    assert rows(any_settings) == ROWS | {"llm_turns": 0}
    assert revision(any_settings) == "notes_0001"


def test_a_renamed_table_is_no_loss(settings: Settings, scripts: Written) -> None:
    up = rebuild("llm_turns", "role", 20, 16).lstrip() + '\n    op.rename_table("llm_turns", "llm_messages")'
    scripts.add("0002", up=up)
    upgrade(scripts.service, settings)
    assert execute(settings, "SELECT count(*) FROM llm_messages") == [(4,)]
    assert execute(settings, "PRAGMA foreign_key_check") == []


def test_references_that_were_broken_before_do_not_stop_a_migration(settings: Settings, scripts: Written) -> None:
    with contextlib.closing(sqlite3.connect(make_url(settings.database_url).database or "")) as connection:
        connection.execute(f"INSERT INTO one_time_tokens VALUES ('{'9' * 32}', 'reset', 'k', {NOW})")
        connection.commit()
    scripts.add("0002", up=rebuild("users", "first_name", 120, 100).lstrip())
    upgrade(scripts.service, settings)
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
    settings: Settings, scripts: Written, failing: str, reason: str
) -> None:
    scripts.add("0002", up=rebuild("users", "first_name", 120, 100).lstrip())
    scripts.add(
        "0003",
        up=f"op.execute(\"INSERT INTO ended_sessions VALUES ('x', {NOW})\")\n    {failing}",
        after="0002",
    )
    with pytest.raises(MigrationError) as raised:
        upgrade(scripts.service, settings)
    message = str(raised.value)
    assert message.startswith("database: the migration stopped at r0003_x.py, line 14: ")
    assert reason in message
    assert message.endswith("nothing was changed")
    assert "\n" not in message
    assert revision(settings) == "notes_0001"
    assert_sound(settings)
    assert execute(settings, "SELECT * FROM ended_sessions") == []


def test_a_script_that_cannot_be_imported_is_one_line_that_names_it(settings: Settings, scripts: Written) -> None:
    scripts.add("0002", up="pass", more="import nothing_of_this_name")
    with pytest.raises(MigrationError) as raised:
        upgrade(scripts.service, settings)
    assert str(raised.value) == (
        "database: the migration stopped at r0002_x.py, line 9: ModuleNotFoundError: No module named "
        "'nothing_of_this_name'; nothing was changed"
    )
    assert_sound(settings)


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_a_failed_second_migration_leaves_a_server_where_it_can_go_on(any_settings: Settings, scripts: Written) -> None:
    scripts.add("0002", up='op.add_column("users", sa.Column("nick", sa.String(10)))')
    scripts.add("0003", up="os.nothing", after="0002")
    with pytest.raises(MigrationError, match=r"r0003_x\.py, line 13"):
        upgrade(scripts.service, any_settings)
    # A server that commits changes of tables by itself has also noted them.
    assert revision(any_settings) == ("notes_0001" if "postgresql" in any_settings.database_url else "notes_0002")
    scripts.add("0003", up='op.add_column("users", sa.Column("nack", sa.String(10)))', after="0002")
    upgrade(scripts.service, any_settings)
    assert revision(any_settings) == "notes_0003"
    assert rows(any_settings) == ROWS


@on_every_database
def test_a_schema_of_a_newer_version_is_kept_and_the_other_features_are_migrated(
    any_settings: Settings, scripts: Written
) -> None:
    execute(any_settings, "UPDATE alembic_version SET version_num = 'llm_9999' WHERE version_num = 'llm_0001'")
    scripts.add("0002", up='op.add_column("users", sa.Column("nick", sa.String(10)))')
    upgrade(scripts.service, any_settings)
    assert current(scripts.service, any_settings) == ("accounts_0001", "llm_9999", "notes_0002")
    assert rows(any_settings) == ROWS
    with pytest.raises(MigrationError, match="llm_9999 was made by a newer version of llm") as raised:
        downgrade(scripts.service, any_settings, "llm@base")
    assert "\n" not in str(raised.value)


@on_every_database
def test_a_revision_that_no_feature_can_have_made_is_one_line(any_settings: Settings, scripts: Written) -> None:
    execute(any_settings, "UPDATE alembic_version SET version_num = 'r9999' WHERE version_num = 'llm_0001'")
    with pytest.raises(MigrationError, match="at the revision r9999, which no feature of inference-core") as raised:
        upgrade(scripts.service, any_settings)
    assert "\n" not in str(raised.value)
    assert rows(any_settings) == ROWS


RUN = (
    "import sys, pathlib; from inference_core.core.db.migrations.run import upgrade;"
    "from tests.support.migrations import written_service; from tests.support.settings import Settings;"
    "sys.path.insert(0, sys.argv[1]);"
    "upgrade(written_service(pathlib.Path(sys.argv[1])).service, Settings(_env_file=None, database_url=sys.argv[2]))"
)


def start_upgrade(settings: Settings, scripts: Written) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(scripts.folder.parent), settings.database_url])


def test_a_process_killed_in_the_middle_loses_nothing_and_the_next_goes_on(
    settings: Settings, scripts: Written
) -> None:
    crash = f"{rebuild('users', 'first_name', 120, 100).lstrip()}\n    os.kill(os.getpid(), {signal.SIGKILL:d})"
    scripts.add("0002", up=crash)
    assert start_upgrade(settings, scripts).wait(60) == -signal.SIGKILL
    assert revision(settings) == "notes_0001"
    assert_sound(settings)
    scripts.add("0002", up=rebuild("users", "first_name", 120, 100).lstrip())
    upgrade(scripts.service, settings)
    assert_sound(settings)


def test_a_second_process_waits_for_the_first_and_a_writer_loses_nothing(
    settings: Settings, scripts: Written, tmp_path: Path
) -> None:
    """The first is held in the middle of its migration until the second waits and a writer has been tried."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    wait = (
        f"open({str(begun)!r}, 'w').close()\n    while not os.path.exists({str(go)!r}): __import__('time').sleep(0.01)"
    )
    scripts.add("0002", up=f"{rebuild('users', 'first_name', 120, 100).lstrip()}\n    {wait}")
    first = start_upgrade(settings, scripts)
    try:
        wait_until(begun.exists, what="the first process in its migration")
        with ThreadPoolExecutor(2) as pool:
            second = pool.submit(upgrade, scripts.service, settings)
            writing = pool.submit(execute, settings, f"INSERT INTO ended_sessions VALUES ('x', {NOW})")
            assert read(settings, "SELECT version_num FROM alembic_version ORDER BY 1") == [
                ("accounts_0001",),
                ("llm_0001",),
                ("notes_0001",),
            ]
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
    assert revision(settings) == "notes_0002"
    assert_sound(settings)
    assert execute(settings, "SELECT count(*) FROM ended_sessions") == [(1,)]
