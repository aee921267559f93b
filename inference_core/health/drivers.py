"""The smallest conversation with each database: connect, ask for a sign of life, cut the line.

Below SQLAlchemy, because a pooled connection closes politely, which a hung server turns into a wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol
from urllib.parse import quote

import aiosqlite
from sqlalchemy.engine import make_url

from inference_core.db.connect import connect_mysql, connect_postgresql
from inference_core.db.url import connect_arguments


class Line(Protocol):
    """An open connection to the database."""

    @property
    def server_version(self) -> str:
        """As the server tells it."""

    def ask(self, times: int) -> AsyncGenerator[float]:
        """So many round trips, one after the other: the seconds each took. Raises whatever the driver raises."""

    def cut(self) -> asyncio.Future[Any] | None:
        """Close without waiting for the other side; what must still be waited for before the loop ends, if anything."""


@dataclass(frozen=True, slots=True)
class SqliteLine:
    """A connection to a SQLite file."""

    driver: aiosqlite.Connection
    server_version: str = sqlite3.sqlite_version

    async def ask(self, times: int) -> AsyncGenerator[float]:
        """Read the file's header; `SELECT 1` would not touch the file at all."""
        connection = self.driver._conn  # noqa: SLF001  # used in its own thread only, as the driver does

        def read() -> list[float]:
            moments = [time.perf_counter()]
            for _ in range(times):
                connection.execute("PRAGMA schema_version").fetchall()
                moments.append(time.perf_counter())
            return [end_s - start_s for start_s, end_s in pairwise(moments)]

        for round_trip_s in await self.driver._execute(read):  # type: ignore[no-untyped-call]  # noqa: SLF001
            yield round_trip_s

    def cut(self) -> asyncio.Future[Any] | None:
        """Let the driver's thread close the file; it tells the event loop when it has."""
        return self.driver.stop()


@dataclass(frozen=True, slots=True)
class PostgresqlLine:
    """A connection to PostgreSQL."""

    driver: Any
    server_version: str

    async def ask(self, times: int) -> AsyncGenerator[float]:
        """One query each."""
        for _ in range(times):
            start_s = time.perf_counter()
            await self.driver.fetchval("SELECT 1")
            yield time.perf_counter() - start_s

    def cut(self) -> None:
        """Close the socket."""
        self.driver.terminate()


@dataclass(frozen=True, slots=True)
class MysqlLine:
    """A connection to MySQL or MariaDB."""

    driver: Any
    server_version: str

    async def ask(self, times: int) -> AsyncGenerator[float]:
        """One protocol ping each."""
        for _ in range(times):
            start_s = time.perf_counter()
            await self.driver.ping(reconnect=False)
            yield time.perf_counter() - start_s

    def cut(self) -> None:
        """Close the socket."""
        self.driver.close()


async def connect(database_url: str) -> Line:
    """Open a line to the database of that URL; raises whatever its driver raises."""
    url = make_url(database_url)
    backend = url.get_backend_name()
    if backend == "postgresql":
        driver = await connect_postgresql(**connect_arguments(url))
        version = driver.get_server_version()
        return PostgresqlLine(driver, f"{version.major}.{version.minor}")
    if backend == "sqlite":
        return await _connect_sqlite(url.database)
    driver = await connect_mysql(**connect_arguments(url))
    return MysqlLine(driver, driver.get_server_info())


async def _connect_sqlite(database: str | None) -> Line:
    # Read and write but never create: a missing file is a missing database.
    opening = aiosqlite.connect(f"file:{quote(database or '')}?mode=rw", isolation_level=None, uri=True)
    opening._thread.daemon = True  # noqa: SLF001  # a hung disk must not keep the process from ending
    return SqliteLine(await opening)
