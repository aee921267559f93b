"""Migrate a database to the newest schema, also if several processes start at the same time."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from inference_core.core.db.base import Base
from inference_core.core.db.engine import Database
from inference_core.core.db.migration_errors import COMMIT_BY_THEMSELVES, MigrationError, describe
from inference_core.core.db.models import __all__ as _models  # noqa: F401  # fills the metadata
from inference_core.core.db.schema import SCRIPTS, head_revision, revision_on
from inference_core.core.settings import Settings

LOCK_NUMBER = 4_711_001
LOCK_WAIT_S = 60
LOCK_POLL_S = 0.05
ANOTHER_MIGRATES = f"database: another process has been migrating it for {LOCK_WAIT_S} s; try again later"
# An index of a large table can take hours.
STATEMENT_LIMIT_S = 24 * 3600


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Upgrade to `revision`. The folder of an SQLite file is created first. A current schema is unchanged.

    Raises:
        MigrationError: The database cannot be reached, a step fails, or a step loses rows that it does not declare.
    """
    target = head_revision(SCRIPTS) if revision == "head" else revision
    _run(settings, target, lambda config: alembic.command.upgrade(config, revision))


def downgrade(settings: Settings, revision: str = "base") -> None:
    """Downgrade to `revision`.

    Raises:
        MigrationError: The database cannot be reached, a step fails, or a step loses rows that it does not declare.
    """
    target = None if revision == "base" else revision
    _run(settings, target, lambda config: alembic.command.downgrade(config, revision))


def _run(settings: Settings, target: str | None, command: Callable[[Config], None]) -> None:
    url = make_url(settings.database_url)

    def run(connection: Connection) -> None:
        if connection.dialect.name in COMMIT_BY_THEMSELVES:
            _require_utf8mb4(connection)
        if revision_on(connection) == target:
            return
        if connection.dialect.name in COMMIT_BY_THEMSELVES:
            connection.rollback()  # of the question above: alembic leaves an open transaction to its caller
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command(config)

    try:
        with _file_lock(url.database) if url.get_backend_name() == "sqlite" else nullcontext():
            if url.get_backend_name() == "sqlite":
                # The thread of the driver would report a file that cannot be opened only after the end of its event
                # loop.
                sqlite3.connect(url.database or "").close()
            asyncio.run(on_migration_connection(settings, run))
    except MigrationError:
        raise
    except CommandError as error:
        advice = "a newer version of the service has migrated it: run that version"
        raise MigrationError(describe(error, url, SCRIPTS, advice)) from error
    except Exception as error:
        raise MigrationError(describe(error, url, SCRIPTS)) from error


async def on_migration_connection(settings: Settings, run: Callable[[Connection], None]) -> None:
    """Call `run` with a connection for migrations, while no other process migrates, and commit.

    SQLite and PostgreSQL commit or undo the whole run. MySQL and MariaDB commit every change of a table, so Alembic
    commits after each step there.
    """
    is_sqlite = make_url(settings.database_url).get_backend_name() == "sqlite"
    limit_s = LOCK_WAIT_S if is_sqlite else STATEMENT_LIMIT_S
    patient = settings.model_copy(update={"database_statement_timeout_s": limit_s})

    def run_locked(connection: Connection) -> None:
        with _server_lock(connection):
            run(connection)

    async with Database.open(patient) as database:
        if is_sqlite:
            event.listen(database.write_engine.sync_engine, "connect", _leave_foreign_keys_unenforced)
        async with database.write_engine.connect() as connection:
            await connection.run_sync(run_locked)


def _leave_foreign_keys_unenforced(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Batch mode replaces a table by a copy of it. Where foreign keys are enforced, dropping the original deletes its
    # rows first, and every row of other tables that refers to them with ON DELETE CASCADE. Once a transaction has begun
    # the PRAGMA has no effect: https://sqlite.org/lang_altertable.html#otheralter
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
    name = {"name": f"migrate-{LOCK_NUMBER}", "wait_s": LOCK_WAIT_S}
    connection.execute(text(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}"))
    if not connection.scalar(text("SELECT GET_LOCK(:name, :wait_s)"), name):
        raise MigrationError(ANOTHER_MIGRATES)
    connection.commit()
    try:
        yield
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
