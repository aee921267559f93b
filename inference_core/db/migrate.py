"""Brings a database to the newest schema, safely when several processes start at once."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import structlog
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from inference_core.db.engine import Database
from inference_core.exceptions import DependencyUnavailableError
from inference_core.settings import Settings

log = structlog.get_logger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"
LOCK_NUMBER = 4_711_001
LOCK_WAIT_S = 60


class MigrationError(Exception):
    """The database cannot be brought, or is not, to the newest schema; one line says why and what to do."""


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Upgrade to `revision`, making the folder of an SQLite file first. Nothing happens if it is there already.

    Raises:
        MigrationError: if the database cannot be reached or a step fails.
    """
    _run(settings, lambda config: alembic.command.upgrade(config, revision))


def downgrade(settings: Settings, revision: str = "base") -> None:
    """Step back to `revision`.

    Raises:
        MigrationError: if the database cannot be reached or a step fails.
    """
    _run(settings, lambda config: alembic.command.downgrade(config, revision))


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
    head = head_revision()
    if current == head:
        return
    if settings.is_production:
        at = f"at revision {current}" if current else "empty"
        raise MigrationError(f"database: the schema is {at}, this version needs {head}; run: inference-core migrate")
    await asyncio.to_thread(upgrade, settings)


def _run(settings: Settings, command: Callable[[Config], None]) -> None:
    url = make_url(settings.database_url)
    try:
        with _file_lock(url.database) if url.get_backend_name() == "sqlite" else _no_lock():
            asyncio.run(_migrate(settings, command))
    except (DependencyUnavailableError, SQLAlchemyError, OSError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).split("\n", 1)[0]
        raise MigrationError(
            f"database: cannot migrate {url.render_as_string(hide_password=True)}: {type(cause).__name__}: {reason}; "
            "check that DATABASE_URL is right and its server runs"
        ) from error


async def _migrate(settings: Settings, command: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        with _server_lock(connection):
            command(config)

    async with Database.open(settings) as database, database.write_engine.begin() as connection:
        await connection.run_sync(run)


@contextmanager
def _file_lock(database: str | None) -> Iterator[None]:
    path = Path(f"{database}.migrate-lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _no_lock() -> Iterator[None]:
    yield


@contextmanager
def _server_lock(connection: Connection) -> Iterator[None]:
    """One migration at a time over all processes; released with the transaction or right after."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
        yield
    elif connection.dialect.name in {"mysql", "mariadb"}:
        name = {"name": f"migrate-{LOCK_NUMBER}", "wait_s": LOCK_WAIT_S}
        connection.execute(text("SELECT GET_LOCK(:name, :wait_s)"), name)
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
    else:
        yield
