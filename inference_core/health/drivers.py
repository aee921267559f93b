"""Minimal access to each database driver: connect, make a round trip, close.

This bypasses SQLAlchemy, whose pooled connections close cleanly and would wait for a server that hangs.
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

from inference_core.core.database_url import connect_arguments
from inference_core.core.db.mysql import connect_mysql
from inference_core.core.db.postgresql import open_connection


class Line(Protocol):
    """An open connection to the database."""

    @property
    def server_version(self) -> str:
        """The version of the server."""

    def ask(self, times: int) -> AsyncGenerator[float]:
        """Make consecutive round trips and return their durations in seconds. Raises the errors of the driver."""

    def cut(self) -> asyncio.Future[Any] | None:
        """Close without waiting for the server. Return an awaitable that must finish before the loop ends, if any."""


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
        """Close the file in the thread of the driver, which notifies the event loop."""
        return self.driver.stop()


@dataclass(frozen=True, slots=True)
class PostgresqlLine:
    """A connection to PostgreSQL."""

    driver: Any
    server_version: str

    async def ask(self, times: int) -> AsyncGenerator[float]:
        """Make each round trip with a query, which works through every pooler because it is not prepared."""
        for _ in range(times):
            start_s = time.perf_counter()
            await self.driver.execute("SELECT 1")
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
        """Make each round trip with a ping of the protocol."""
        for _ in range(times):
            start_s = time.perf_counter()
            await self.driver.ping(reconnect=False)
            yield time.perf_counter() - start_s

    def cut(self) -> None:
        """Close the socket."""
        self.driver.close()


async def connect(database_url: str) -> Line:
    """Connect to the database of the URL. Raises the errors of its driver."""
    url = make_url(database_url)
    backend = url.get_backend_name()
    if backend == "postgresql":
        driver = await open_connection(connect_arguments(url))
        version = driver.get_server_version()
        return PostgresqlLine(driver, f"{version.major}.{version.minor}")
    if backend == "sqlite":
        return await _connect_sqlite(url.database)
    driver = await connect_mysql(**connect_arguments(url))
    return MysqlLine(driver, driver.get_server_info())


async def _connect_sqlite(database: str | None) -> Line:
    # Open for reading and writing, but do not create the file, because a missing file is a missing database.
    opening = aiosqlite.connect(f"file:{quote(database or '')}?mode=rw", isolation_level=None, uri=True)
    opening._thread.daemon = True  # noqa: SLF001  # a hung disk must not keep the process from ending
    return SqliteLine(await opening)
