"""Read one row by key with the driver, without a session, for reads that every request needs.

A session costs several times as much as the read itself: a greenlet, a transaction and, with SQLite, four switches to a
thread. Here SQLAlchemy compiles the statement and selects the converters of the values once, and the driver executes it
on separate connections. MySQL uses a session.

Fast path: benchmarks/auth_ratio.py, docs/decisions/fast-paths.md.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg
from sqlalchemy import Select
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.sql.compiler import SQLCompiler

from inference_core.core.db.postgresql import PooledConnection, PoolerBusyError, PostgresqlConnector, is_pooled
from inference_core.core.settings import Settings

# Fast path: benchmarks/auth_ratio.py on PostgreSQL, 0.39 -> 0.41 with 15 connections instead of 10.
MOST_CONNECTIONS = 16

Converter = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class PointQuery:
    """A compiled statement with the converters of its parameters and columns."""

    sql: str
    names: tuple[str, ...]
    parameters: tuple[Converter, ...]
    columns: tuple[Converter, ...]

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of the statement, converted for the driver."""
        pairs = zip(self.names, self.parameters, strict=True)
        return [convert(values[name]) if convert else values[name] for name, convert in pairs]

    def convert(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return the columns as Python values."""
        pairs = zip(row, self.columns, strict=True)
        return tuple([convert(value) if convert else value for value, convert in pairs])


def compile_query(statement: Select[Any], dialect: Dialect) -> PointQuery:
    """Compile a statement whose parameters are all `bindparam`s."""
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # a SELECT compiles to nothing else
    names = tuple(compiled.positiontup or ())
    types = [compiled.binds[name].type.dialect_impl(dialect) for name in names]
    columns = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
    return PointQuery(
        sql=compiled.string,
        names=names,
        parameters=tuple(kind.bind_processor(dialect) for kind in types),
        columns=tuple(kind.result_processor(dialect, None) for kind in columns),
    )


class Connection(Protocol):
    """A connection of a driver."""

    async def fetch(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        """Return the row, or None."""

    def close(self) -> None:
        """Close immediately."""


@dataclass(slots=True)
class SqliteConnection:
    """A connection that only reads a SQLite file, on the caller's thread.

    A read by key from the page cache takes about 10 us, less than the conversion of the row to JSON. A switch to a
    thread takes fifteen times as long, and the two threads then compete for the interpreter. The read does not block:
    in WAL mode, readers need no lock. If the file is locked nevertheless, SQLite fails immediately (`timeout=0`). The
    read is then repeated once on another connection before the database counts as unavailable.
    """

    driver: sqlite3.Connection

    async def fetch(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        """Read the row."""
        row: Sequence[Any] | None = self.driver.execute(query.sql, parameters).fetchone()
        return row

    def close(self) -> None:
        """Close the file."""
        self.driver.close()


@dataclass(slots=True)
class PostgresqlConnection:
    """A connection with its prepared statements."""

    driver: Any
    prepared: dict[str, Any]

    async def fetch(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        """Read the row with one round trip, or two if the statement is new to the connection."""
        statement = self.prepared.get(query.sql)
        if statement is None:
            statement = self.prepared[query.sql] = await self.driver.prepare(query.sql)
        row: Sequence[Any] | None = await statement.fetchrow(*parameters)
        return row

    def close(self) -> None:
        """Close the connection without a clean end, which is not needed."""
        self.driver.terminate()


@dataclass(slots=True)
class PooledPostgresqlConnection:
    """A connection through a pooler, where a transaction sets the limits and nothing stays prepared."""

    driver: PooledConnection

    async def fetch(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        """Read the row with four round trips: begin, prepare, execute, commit."""
        # After an error, the caller closes the connection, so no rollback is waited for.
        transaction = self.driver.transaction(readonly=True)
        await transaction.start()
        row: Sequence[Any] | None = await self.driver.fetchrow(query.sql, *parameters)
        await transaction.commit()
        return row

    def close(self) -> None:
        """Close the connection without a clean end."""
        self.driver.terminate()


# Errors of the connection, after which another connection can succeed.
CONNECTION_ERRORS = (
    OSError,
    sqlite3.OperationalError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    # The statement was prepared before a migration changed the table.
    asyncpg.InvalidCachedStatementError,
)


class PointReader:
    """A few connections for point reads, which are opened on demand and kept open.

    Attributes:
        limit: The maximum number of connections.
        in_use: The number of connections that read or are being opened.
        on_wait: Called with the seconds of each read that waited for a connection, or for a new one to open.
        on_statement: Called with the seconds of each statement, including failed ones.
    """

    def __init__(
        self,
        dialect: Dialect,
        connect: Callable[[], Awaitable[Connection]],
        settings: Settings,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_silence = on_silence
        self._connect = connect
        self._dialect = dialect
        self._wait_s = settings.database_pool_timeout_s
        self.limit = min(MOST_CONNECTIONS, settings.database_pool_size + settings.database_max_overflow)
        self.in_use = 0
        self.on_wait: Callable[[float], None] | None = None
        self.on_statement: Callable[[float], None] | None = None
        self._free = asyncio.Semaphore(self.limit)
        self._idle: deque[Connection] = deque()
        self._queries: dict[int, tuple[Select[Any], PointQuery]] = {}

    async def one(self, statement: Select[Any], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return the row of a statement, or None. The compiled statement is cached for the life of the process.

        Raises:
            TimeoutError, OSError or an error of the driver: The database does not respond in time.
        """
        query = self._query(statement)
        parameters = query.bind(values)
        if self._free.locked():
            with _timed(self.on_wait):
                async with asyncio.timeout(self._wait_s):
                    await self._free.acquire()
        else:
            await self._free.acquire()
        self.in_use += 1
        try:
            row = await self._fetch_again_if_cut(query, parameters)
        finally:
            self.in_use -= 1
            self._free.release()
        return query.convert(row) if row is not None else None

    @property
    def open_connections(self) -> int:
        """The number of open connections, idle or used."""
        return self.in_use + len(self._idle)

    async def _fetch_again_if_cut(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        # The connection arguments of the driver limit the time to connect and to read.
        try:
            return await self._fetch(query, parameters)
        except PoolerBusyError:
            raise
        except TimeoutError:
            # The other connections have been idle for longer, so the same cause probably affects them.
            self._on_silence()
            raise
        except CONNECTION_ERRORS:
            # The restart of the server has closed the idle connection. A repeated read is safe.
            self.close()
            return await self._fetch(query, parameters)

    def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().close()

    def _query(self, statement: Select[Any]) -> PointQuery:
        known = self._queries.get(id(statement))
        if known is None:
            known = self._queries[id(statement)] = (statement, compile_query(statement, self._dialect))
        return known[1]

    async def _fetch(self, query: PointQuery, parameters: list[Any]) -> Sequence[Any] | None:
        connection = self._idle.pop() if self._idle else await self._open()
        start_s = perf_counter()
        try:
            row = await connection.fetch(query, parameters)
        except BaseException:
            # After a query without a response, the next data on this connection are unknown.
            connection.close()
            raise
        finally:
            if self.on_statement is not None:
                self.on_statement(perf_counter() - start_s)
        self._idle.append(connection)
        return row

    async def _open(self) -> Connection:
        with _timed(self.on_wait):
            return await self._connect()


def sqlite_points(url: URL) -> Callable[[], Awaitable[Connection]]:
    """Return the function that opens connections to a SQLite file for point reads."""

    async def connect() -> Connection:
        return SqliteConnection(_connect_sqlite(url))

    return connect


def postgresql_points(connector: PostgresqlConnector) -> Callable[[], Awaitable[Connection]]:
    """Return the function that opens connections to PostgreSQL for point reads."""

    async def connect() -> Connection:
        driver = await connector.connect()
        if is_pooled(driver):
            return PooledPostgresqlConnection(driver)
        return PostgresqlConnection(driver, {})

    return connect


@contextmanager
def _timed(observe: Callable[[float], None] | None) -> Iterator[None]:
    start_s = perf_counter()
    try:
        yield
    finally:
        if observe is not None:
            observe(perf_counter() - start_s)


def _connect_sqlite(url: URL) -> sqlite3.Connection:
    # Do not create the file, because a missing file is a missing database.
    driver = sqlite3.connect(f"file:{quote(url.database or '')}?mode=rw", uri=True, timeout=0, isolation_level=None)
    driver.execute("PRAGMA query_only=ON")
    return driver
