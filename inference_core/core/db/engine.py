"""The engines and sessions of a process, with bounded pools and waits. The URL selects SQLite, PostgreSQL or MySQL.

SQLite has two pools: one connection that writes, so that writers of a process wait in order instead of polling the lock
of the file, and several connections that only read. The other databases have one pool; reads run without a transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql.err
from asyncpg import PostgresError
from sqlalchemy import Select, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.pool import ConnectionPoolEntry

from inference_core.core.db.broken_connections import ConnectionHygiene
from inference_core.core.db.mysql import connect_mysql, mysql_arguments
from inference_core.core.db.point_read import CONNECTION_ERRORS, PointReader, postgresql_points, sqlite_points
from inference_core.core.db.pool import TimedPool
from inference_core.core.db.postgresql import LOST_STATEMENT_SQLSTATES, UNDECLARED_POOLER, PostgresqlConnector
from inference_core.core.exceptions import DependencyUnavailableError, InvalidInputError
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings

log = get_logger(__name__)

RECYCLE_S = 1800
# SQLAlchemy does not convert these errors when it sets the isolation level of a connection.
BARE_DRIVER_ERRORS = (pymysql.err.OperationalError, pymysql.err.InterfaceError, pymysql.err.InternalError)
UNREACHABLE = (OperationalError, InterfaceError, PoolTimeoutError, TimeoutError, *BARE_DRIVER_ERRORS)
# PRAGMAs of every SQLite connection. NORMAL is durable after a crash of the process, but not after a power failure.
SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "temp_store=MEMORY")


class DatabaseUnavailableError(DependencyUnavailableError):
    """Raised if the database does not respond in time."""

    code = "database_unavailable"
    detail = "The database is not available. Try again shortly."


class UnstorableTextError(InvalidInputError):
    """Raised if a text contains a character that the database cannot store: NUL, in PostgreSQL."""

    code = "unstorable_text"
    detail = "A text contains a character that cannot be stored. Remove NUL characters."


class WriteInReadSessionError(RuntimeError):
    """Raised for a write in a read-only session, which is a programming error."""


class _NoFlushSession(Session):
    def flush(self, objects: Any = None) -> None:
        if self.new or self.dirty or self.deleted:
            raise WriteInReadSessionError("this session is read-only; use a write session")
        super().flush(objects)


@event.listens_for(_NoFlushSession, "do_orm_execute")
def _read_again_if_cut(state: ORMExecuteState) -> Any:  # the result of any statement
    """Repeat a read if the connection was cut, because reads outside of a transaction are independent.

    Reads of entities are not repeated, because the new transaction would expire them.
    """
    try:
        return state.invoke_statement()
    except (DBAPIError, *BARE_DRIVER_ERRORS) as error:
        was_cut = not isinstance(error, DBAPIError) or error.connection_invalidated
        if not was_cut or len(state.session.identity_map):
            raise
        state.session.rollback()
        return state.invoke_statement()


class ReadSession(AsyncSession):
    """A read-only session outside of a transaction. As a context, it returns its connection at the end."""

    sync_session_class = _NoFlushSession


@dataclass(frozen=True, slots=True)
class Database:
    """The engines of one process: `engine` reads, and health reports it; `write_engine` writes.

    `points` reads single rows without an engine. MySQL has none.
    """

    engine: AsyncEngine
    write_engine: AsyncEngine
    points: PointReader | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Database]:
        """Create the engines, which connect on first use. Dispose of them at the end."""
        database = cls.from_settings(settings)
        try:
            yield database
        finally:
            if database.points is not None:
                database.points.close()
            await database.engine.dispose()
            await database.write_engine.dispose()

    @classmethod
    def from_settings(cls, settings: Settings) -> Database:
        """Return the engines for `settings.database_url`. The caller disposes of them."""
        url = make_url(settings.database_url)
        return {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[url.get_backend_name()](url, settings)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session for reading.

        Raises:
            DatabaseUnavailableError: The database does not respond in time.
        """
        async with ReadSession(self.engine, autoflush=False, expire_on_commit=False) as session:
            with unavailable_as_domain_error():
                yield session

    async def one(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the single row of a statement, or None. The compiled statement is cached for the life of the process.

        Raises:
            UnstorableTextError: A value contains NUL.
            DatabaseUnavailableError: The database does not respond in time.
        """
        if self.points is None:
            async with self.read() as session:
                row = (await session.execute(statement, values)).one_or_none()
                return tuple(row) if row is not None else None
        try:
            return await self.points.one(statement, values)
        except CONNECTION_ERRORS as error:
            raise _unavailable(error) from error
        except PostgresError as error:
            if _is_unavailable(error):
                raise _unavailable(error) from error
            if _is_unstorable(error):
                raise UnstorableTextError from error
            raise

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a session for writing. Its transaction begins with the first statement.

        It commits at the end, and rolls back after an exception.

        Raises:
            DatabaseUnavailableError: The database does not respond in time.
        """
        async with AsyncSession(self.write_engine, expire_on_commit=False) as session:
            with unavailable_as_domain_error():
                try:
                    yield session
                    await session.commit()
                except BaseException:
                    await session.rollback()
                    raise


class unavailable_as_domain_error:  # noqa: N801  # reads as a function
    """A context that converts connection errors and timeouts of the drivers to `DatabaseUnavailableError`.

    Texts that the database cannot store become an `UnstorableTextError`, so they cause no status 500.
    """

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Convert the error, if any."""
        if isinstance(error, UNREACHABLE) or (
            isinstance(error, DBAPIError) and (error.connection_invalidated or _is_unavailable(error.orig))
        ):
            raise _unavailable(error) from error
        if isinstance(error, DBAPIError) and _is_unstorable(error.orig):
            raise UnstorableTextError from error


def _unavailable(error: BaseException | None) -> DatabaseUnavailableError:
    cause = getattr(error, "orig", None) or error
    advice = {"advice": UNDECLARED_POOLER} if _sqlstate(cause) in LOST_STATEMENT_SQLSTATES else {}
    log.warning("database_unavailable", error=type(cause).__name__, reason=str(cause).partition("\n")[0], **advice)
    return DatabaseUnavailableError()


def _is_unavailable(error: BaseException | None) -> bool:
    # PostgreSQL: the statement timeout and the victim of a deadlock, which MySQL reports as an OperationalError; a
    # server or a pooler that refuses connections, or has no resources left; a statement that a pooler has lost.
    code = _sqlstate(error)
    return code[:2] in {"08", "53", "57"} or code == "40P01" or code in LOST_STATEMENT_SQLSTATES


def _is_unstorable(error: BaseException | None) -> bool:
    # PostgreSQL's character_not_in_repertoire.
    return _sqlstate(error) == "22021"


def _sqlstate(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""


def _pool(settings: Settings) -> dict[str, Any]:
    return {
        "poolclass": TimedPool,
        "pool_size": settings.database_pool_size,
        "max_overflow": settings.database_max_overflow,
        "pool_timeout": settings.database_pool_timeout_s,
        "pool_use_lifo": True,
        "pool_recycle": RECYCLE_S,
        # Database errors are logged and reported, and their parameters can be addresses and hashes.
        "hide_parameters": True,
    }


def _sqlite(url: URL, settings: Settings) -> Database:
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    arguments = {"timeout": settings.database_statement_timeout_s}
    reads = create_async_engine(
        url,
        connect_args=arguments,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
        **_pool(settings),
    )
    writes = create_async_engine(
        url,
        connect_args=arguments,
        poolclass=TimedPool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=settings.database_statement_timeout_s,
        hide_parameters=True,
    )
    event.listen(reads.sync_engine, "connect", _prepare_sqlite_reader)
    event.listen(writes.sync_engine, "connect", _prepare_sqlite)
    event.listen(writes.sync_engine, "begin", _begin_immediate)
    return Database(reads, writes, PointReader(reads.dialect, sqlite_points(url), settings))


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Without this, the sqlite3 module begins deferred transactions itself.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite_reader(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    _prepare_sqlite(connection, entry)
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that reads and then writes cannot wait for the lock and would fail immediately.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(url: URL, settings: Settings) -> Database:
    connector = PostgresqlConnector.of(url, settings)
    engine, hygiene = _server(url, settings, connector.connect_engine, skip_autocommit_rollback=True)
    reads = _without_transactions(engine, hygiene)
    points = PointReader(engine.dialect, postgresql_points(connector), settings, on_silence=hygiene.drop_idle)
    hygiene.on_drop = points.close
    return Database(reads, engine, points)


def _mysql(url: URL, settings: Settings) -> Database:
    arguments = {**mysql_arguments(url, settings), "async_creator_fn": connect_mysql}
    engine, hygiene = _server(url, settings, lambda dialect: dialect.connect(**arguments))
    return Database(_without_transactions(engine, hygiene), engine)


def _server(
    url: URL, settings: Settings, connect: Callable[[Dialect], DBAPIConnection], **options: Any
) -> tuple[AsyncEngine, ConnectionHygiene]:
    def connect_or_refuse(dialect: Dialect, *_: Any) -> DBAPIConnection:
        # asyncpg does not convert the OSError of a refused connection.
        try:
            return connect(dialect)
        except OSError as error:
            raise DatabaseUnavailableError from error

    engine = create_async_engine(url.set(query={}), isolation_level="READ COMMITTED", **options, **_pool(settings))
    event.listen(engine.sync_engine, "do_connect", connect_or_refuse)
    return engine, ConnectionHygiene(engine.sync_engine)


def _without_transactions(engine: AsyncEngine, hygiene: ConnectionHygiene) -> AsyncEngine:
    reads = engine.execution_options()
    event.listen(reads.sync_engine, "engine_connect", hygiene.read_without_transaction)
    return reads
