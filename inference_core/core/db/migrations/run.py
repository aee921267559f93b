"""Migrate a database to the newest schema, also if several processes start at the same time."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy import column, delete, event, insert, table, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from inference_core.core.db.base import Base
from inference_core.core.db.engine import Database
from inference_core.core.db.migrations.errors import COMMIT_BY_THEMSELVES, MigrationError, describe
from inference_core.core.db.migrations.revisions import (
    VERSION_TABLE,
    History,
    check_stored,
    histories,
    renamed,
    revisions_of,
    stored_revisions,
)
from inference_core.core.feature import Service
from inference_core.core.settings import Settings

# Contains `env.py` and the template of revisions.
TOOLING = Path(__file__).parent
LOCK_NUMBER = 4_711_001
# MySQL has these locks for the whole server. Their names have at most 64 characters.
MYSQL_LOCK = "CONCAT('migrate-', SHA1(DATABASE()))"
LOCK_WAIT_S = 60
LOCK_POLL_S = 0.05
ANOTHER_MIGRATES = f"database: another process has been migrating it for {LOCK_WAIT_S} s; try again later"
# An index of a large table can take hours.
STATEMENT_LIMIT_S = 24 * 3600


def upgrade(service: Service, settings: Settings, revision: str = "heads") -> list[str]:
    """Upgrade every feature to its newest revision, or one feature to `revision`. Return the applied revisions.

    A feature whose schema a newer version has made is not changed. The folder of an SQLite file is created first.

    Raises:
        MigrationError: The database cannot be reached, a step fails, or a step loses rows that it does not declare.
    """
    known = histories(service)
    wanted = known if revision == "heads" else [_history_of(known, revision)]
    targets = [(history, history.head if revision == "heads" else revision) for history in wanted]
    applied: list[str] = []

    def run(config: Config, stored: tuple[str, ...]) -> None:
        for history, target in targets:
            if target and not history.newer_of(stored) and not history.has_reached(target, stored):
                alembic.command.upgrade(config, target)
        reached = stored_revisions(config.attributes["connection"])
        for history in known:
            applied.extend(history.between(history.current_of(stored), history.current_of(reached)))

    _run(service, settings, known, run)
    return applied


def downgrade(service: Service, settings: Settings, revision: str = "base") -> None:
    """Downgrade the feature of `revision` to it. `base` removes the tables of every feature, and `notes@base` of one.

    Raises:
        MigrationError: The database cannot be reached, a newer version has made its schema, a step fails, or a step
            loses rows that it does not declare.
    """
    known = histories(service)
    targets = _downgrade_targets(known, revision)

    def run(config: Config, stored: tuple[str, ...]) -> None:
        for history, _ in targets:
            if newer := history.newer_of(stored):
                raise MigrationError(
                    f"database: {newer} was made by a newer version of {history.feature.name}; downgrade with that "
                    "version"
                )
        if revision != "base":
            _check_dependents(service, known, targets, stored)
        for history, target in targets:
            _downgrade(config, history, target, stored)

    _run(service, settings, known, run)


def _downgrade_targets(known: list[History], revision: str) -> list[tuple[History, str | None]]:
    """Return the histories to downgrade, each with its revision. None is the state before the first one."""
    if revision == "base":
        # Features are migrated after those that they require.
        return [(history, None) for history in reversed(known)]
    name, _, place = revision.partition("@")
    if place == "base":
        return [(_history_named(known, name), None)]
    return [(_history_of(known, revision), revision)]


def _check_dependents(
    service: Service, known: list[History], targets: list[tuple[History, str | None]], stored: tuple[str, ...]
) -> None:
    """Refuse to remove the tables of a feature while a feature that requires it has tables.

    Some servers would drop a part of them before they refuse.

    Raises:
        MigrationError: There is such a feature.
    """
    for history, target in targets:
        needing = service.dependents_of(history.feature.name) if target is None else ()
        for other in known:
            if other.feature.name in needing and other.current_of(stored):
                raise MigrationError(
                    f"database: {other.feature.name} requires {history.feature.name}; run first: inference-core "
                    f"downgrade {other.feature.name}@base"
                )


def _downgrade(config: Config, history: History, target: str | None, stored: tuple[str, ...]) -> None:
    at = history.current_of(stored)
    if at == target:
        return
    if target is not None and not history.has_reached(target, stored):
        raise MigrationError(f"database: {history.feature.name} is at {at or 'base'}, which is before {target}")
    alembic.command.downgrade(config, target or f"{history.feature.name}@base")


def current(service: Service, settings: Settings) -> tuple[str, ...]:
    """Return the revisions of the database, by their present names. A missing SQLite file has none, and is not created.

    Raises:
        MigrationError: The database cannot be reached.
    """

    async def read() -> tuple[str, ...]:
        async with Database.open(settings) as database:
            return await revisions_of(service, database)

    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return ()
    try:
        return asyncio.run(read())
    except Exception as error:
        raise MigrationError(describe(error, url, (), "read")) from error


def _history_of(known: Iterable[History], revision: str) -> History:
    for history in known:
        if revision in history.revisions:
            return history
    names = [name for history in known for name in history.revisions]
    raise MigrationError(f"migrations: there is no revision {revision!r}; known: {', '.join(names) or 'none'}")


def _history_named(known: Iterable[History], name: str) -> History:
    for history in known:
        if history.feature.name == name:
            return history
    names = [history.feature.name for history in known]
    raise MigrationError(f"migrations: no feature {name} has migrations; known: {', '.join(names) or 'none'}")


def alembic_config(known: Iterable[History], connection: Connection) -> Config:
    """Return the configuration of Alembic for the revisions of a service and an open connection."""
    config = Config()
    config.set_main_option("script_location", str(TOOLING).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(one.folder) for one in known).replace("%", "%%"))
    config.attributes |= {"connection": connection, "known": known}
    return config


def _run(
    service: Service,
    settings: Settings,
    known: list[History],
    command: Callable[[Config, tuple[str, ...]], None],
) -> None:
    url = make_url(settings.database_url)
    service.load_each("models")
    folders = [history.folder for history in known]

    def run(connection: Connection) -> None:
        commits_by_itself = connection.dialect.name in COMMIT_BY_THEMSELVES
        if commits_by_itself:
            _require_utf8mb4(connection)
        check_stored(service, stored_revisions(connection))
        _rename(service, connection)
        stored = stored_revisions(connection)
        if commits_by_itself:
            connection.commit()  # Alembic leaves an open transaction to its caller
        command(alembic_config(known, connection), stored)

    try:
        with _file_lock(url.database) if url.get_backend_name() == "sqlite" else nullcontext():
            if url.get_backend_name() == "sqlite":
                # The thread of the driver would report a file that cannot be opened only after the end of its event
                # loop.
                sqlite3.connect(url.database or "").close()
            asyncio.run(on_migration_connection(settings, run))
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(describe(error, url, folders)) from error


def _rename(service: Service, connection: Connection) -> None:
    """Store revisions by their present names."""
    stored = stored_revisions(connection)
    present = renamed(service, stored)
    versions = table(VERSION_TABLE, column("version_num"))
    for name in set(stored) - set(present):
        connection.execute(delete(versions).where(versions.c.version_num == name))
    for name in set(present) - set(stored):
        connection.execute(insert(versions).values(version_num=name))


async def on_migration_connection(settings: Settings, run: Callable[[Connection], None]) -> None:
    """Call `run` with a connection for migrations, while no other process migrates, and commit.

    SQLite and PostgreSQL commit or undo the whole run. MySQL and MariaDB commit every change of a table, so Alembic
    commits after each step there.
    """
    is_sqlite = make_url(settings.database_url).get_backend_name() == "sqlite"
    limit_s = LOCK_WAIT_S if is_sqlite else STATEMENT_LIMIT_S
    limits = {"database_statement_timeout_s": limit_s, "database_pool_timeout_s": LOCK_WAIT_S}
    patient = settings.model_copy(update=limits)

    def run_locked(connection: Connection) -> None:
        with _server_lock(connection):
            run(connection)

    async with Database.open(patient) as database:
        if is_sqlite:
            event.listen(database.write_engine.sync_engine, "connect", _leave_foreign_keys_unenforced)
        async with database.write_engine.connect() as connection:
            await connection.run_sync(run_locked)


def _leave_foreign_keys_unenforced(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Batch mode replaces a table by a copy. If foreign keys are enforced, dropping the original deletes its rows, and
    # all rows of other tables that refer to them with ON DELETE CASCADE. In a transaction, the PRAGMA has no effect:
    # https://sqlite.org/lang_altertable.html#otheralter
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _require_utf8mb4(connection: Connection) -> None:
    default = connection.scalar(text("SELECT @@character_set_database"))
    if default != "utf8mb4":
        raise MigrationError(
            f"database: its default character set is {default}, which cannot store every text; "
            "run: ALTER DATABASE CHARACTER SET utf8mb4"
        )
    columns = connection.execute(
        text(
            "SELECT table_name, column_name, character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND character_set_name <> 'utf8mb4'"
        )
    )
    narrow = sorted(f"{table}.{column} ({name})" for table, column, name in columns if table in Base.metadata.tables)
    if narrow:
        raise MigrationError(
            f"database: columns that cannot store every text: {', '.join(narrow)}; "
            "change each of them with ALTER TABLE … MODIFY … CHARACTER SET utf8mb4"
        )


@contextmanager
def _file_lock(database: str | None) -> Iterator[None]:
    path = Path(f"{database}.migrate-lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline_s = time.monotonic() + LOCK_WAIT_S
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise MigrationError(ANOTHER_MIGRATES) from None
                time.sleep(LOCK_POLL_S)
        yield


@contextmanager
def _server_lock(connection: Connection) -> Iterator[None]:
    """Allow one migration at a time over all processes, in one transaction if the server can undo changes of tables."""
    if connection.dialect.name in COMMIT_BY_THEMSELVES:
        with _mysql_lock(connection):
            yield
        return
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        yield


@contextmanager
def _mysql_lock(connection: Connection) -> Iterator[None]:
    connection.execute(text(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}"))
    if not connection.scalar(text(f"SELECT GET_LOCK({MYSQL_LOCK}, {LOCK_WAIT_S})")):
        raise MigrationError(ANOTHER_MIGRATES)
    connection.commit()
    try:
        yield
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT RELEASE_LOCK({MYSQL_LOCK})"))
