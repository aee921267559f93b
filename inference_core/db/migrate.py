"""Brings a database to the newest schema, safely when several processes start at once."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import alembic.command
import structlog
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from inference_core.db.base import Base
from inference_core.db.engine import Database
from inference_core.db.migration_guard import UnsafeMigrationError
from inference_core.db.models import __all__ as _models  # noqa: F401  # fills the metadata
from inference_core.exceptions import DependencyUnavailableError
from inference_core.settings import Settings

log = structlog.get_logger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"
# Servers that commit every change of a table at once.
COMMIT_BY_THEMSELVES = {"mysql", "mariadb"}
LOCK_NUMBER = 4_711_001
LOCK_WAIT_S = 60
LOCK_POLL_S = 0.05
ANOTHER_MIGRATES = f"database: another process has been migrating it for {LOCK_WAIT_S} s; try again later"
# Building an index of a large table may take hours.
STATEMENT_LIMIT_S = 24 * 3600


class MigrationError(Exception):
    """The database cannot be brought, or is not, to the newest schema; one line says why and what to do."""


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Upgrade to `revision`, making the folder of an SQLite file first. Nothing happens if it is there already.

    Raises:
        MigrationError: if the database cannot be reached, a step fails, or loses rows that it does not declare.
    """
    target = head_revision() if revision == "head" else revision
    _run(settings, target, lambda config: alembic.command.upgrade(config, revision))


def downgrade(settings: Settings, revision: str = "base") -> None:
    """Step back to `revision`.

    Raises:
        MigrationError: if the database cannot be reached, a step fails, or loses rows that it does not declare.
    """
    target = None if revision == "base" else revision
    _run(settings, target, lambda config: alembic.command.downgrade(config, revision))


def head_revision() -> str:
    """The newest revision this version of the service knows."""
    head = ScriptDirectory(str(SCRIPTS)).get_current_head()
    assert head is not None  # noqa: S101  # the package ships at least one
    return head


async def current_revision(database: Database) -> str | None:
    """The revision a database is at; None when it has no tables of ours.

    Raises:
        DependencyUnavailableError: if the database does not answer.
    """
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def ensure_schema(settings: Settings, database: Database) -> None:
    """See that the schema is the newest: migrate in development and testing, refuse in production.

    Raises:
        MigrationError: in production when a migration is due, elsewhere when it fails.
    """
    try:
        current = await current_revision(database)
    except DependencyUnavailableError:
        if not settings.is_production:
            await asyncio.to_thread(upgrade, settings)  # fails again, and says how
            return
        log.warning("schema_not_checked", reason="the database does not answer")
        return
    except SQLAlchemyError as error:
        raise MigrationError(_describe(error, make_url(settings.database_url))) from error
    head = head_revision()
    if current == head:
        return
    if settings.is_production:
        at = f"at revision {current}" if current else "empty"
        raise MigrationError(f"database: the schema is {at}, this version needs {head}; run: inference-core migrate")
    await asyncio.to_thread(upgrade, settings)


def _run(settings: Settings, target: str | None, command: Callable[[Config], None]) -> None:
    url = make_url(settings.database_url)

    def run(connection: Connection) -> None:
        if connection.dialect.name in COMMIT_BY_THEMSELVES:
            _require_utf8mb4(connection)
        if MigrationContext.configure(connection).get_current_revision() == target:
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
                # One that cannot be opened would be told by the driver's thread, after its event loop has ended.
                sqlite3.connect(url.database or "").close()
            asyncio.run(on_migration_connection(settings, run))
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(_describe(error, url)) from error


def _describe(error: Exception, url: URL) -> str:
    """One line for whatever stopped a migration."""
    cause = error.__cause__ if isinstance(error, DependencyUnavailableError) and error.__cause__ else error
    said = getattr(cause, "orig", None) or cause
    reason = (str(said).strip() or "no details").split("\n", 1)[0]
    if isinstance(said.__cause__, OSError):  # why aiomysql "can't connect"
        reason += f" ({said.__cause__})"
    rest = "nothing was changed"
    if url.get_backend_name() in COMMIT_BY_THEMSELVES:
        rest = "this server commits every change of a table at once, so that some of it may have been made"
    if isinstance(error, UnsafeMigrationError):
        return f"database: {reason}; {rest}"
    frames = traceback.extract_tb(error.__traceback__)
    if where := [frame for frame in frames if Path(frame.filename).parent == SCRIPTS / "versions"]:
        place = f"{Path(where[-1].filename).name}, line {where[-1].lineno}"
        return f"database: the migration stopped at {place}: {type(cause).__name__}: {reason}; {rest}"
    advice = "check that DATABASE_URL is right and its server runs"
    if isinstance(error, CommandError):
        advice = "a newer version of the service has migrated it: run that version"
    elif isinstance(error, SyntaxError):
        advice = "check the migrations"
    shown = url.set(query={}).render_as_string(hide_password=True)
    return f"database: cannot migrate {shown}: {type(cause).__name__}: {reason}; {advice}"


async def on_migration_connection(settings: Settings, run: Callable[[Connection], None]) -> None:
    """Call `run` with a connection fit for migrations, no other process migrating meanwhile; then commit.

    SQLite and PostgreSQL keep or undo the whole run; MySQL and MariaDB commit every change of a table by themselves,
    so that alembic commits there after each step.
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
            f"database: its default character set is {default}, which cannot hold every text; "
            "run there: ALTER DATABASE CHARACTER SET utf8mb4"
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
            f"database: columns that cannot hold every text: {', '.join(narrow)}; "
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
    """One migration at a time over all processes, in one transaction where the server can undo changes of tables."""
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
