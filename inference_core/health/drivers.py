"""The smallest conversation with each database: connect, ask for a sign of life, cut the line.

Below SQLAlchemy, because a pooled connection closes politely, which a hung server turns into a wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import aiomysql
import aiosqlite
import asyncpg
from sqlalchemy.engine import make_url

from inference_core.db.point_read import asyncpg_options


class Line(Protocol):
    """An open connection to the database."""

    @property
    def server_version(self) -> str:
        """As the server tells it."""

    async def ask(self) -> None:
        """One round trip; raises whatever the driver raises."""

    def cut(self) -> asyncio.Future[Any] | None:
        """Close without waiting for the other side; what must still be waited for before the loop ends, if anything."""


@dataclass(frozen=True, slots=True)
class SqliteLine:
    """A connection to a SQLite file."""

    driver: aiosqlite.Connection
    server_version: str = sqlite3.sqlite_version

    async def ask(self) -> None:
        """Read the file's header; `SELECT 1` would not touch the file at all."""
        await self.driver.execute_fetchall("PRAGMA schema_version")

    def cut(self) -> asyncio.Future[Any] | None:
        """Let the driver's thread close the file; it tells the event loop when it has."""
        return self.driver.stop()


@dataclass(frozen=True, slots=True)
class PostgresqlLine:
    """A connection to PostgreSQL."""

    driver: Any
    server_version: str

    async def ask(self) -> None:
        """One query."""
        await self.driver.fetchval("SELECT 1")

    def cut(self) -> None:
        """Close the socket."""
        self.driver.terminate()


@dataclass(frozen=True, slots=True)
class MysqlLine:
    """A connection to MySQL or MariaDB."""

    driver: Any
    server_version: str

    async def ask(self) -> None:
        """One protocol ping."""
        await self.driver.ping(reconnect=False)

    def cut(self) -> None:
        """Close the socket."""
        self.driver.close()


async def connect(database_url: str) -> Line:
    """Open a line to the database of that URL; raises whatever its driver raises."""
    url = make_url(database_url)
    backend = url.get_backend_name()
    if backend == "postgresql":
        driver = await asyncpg.connect(**asyncpg_options(url))
        version = driver.get_server_version()
        return PostgresqlLine(driver, f"{version.major}.{version.minor}")
    if backend == "sqlite":
        return await _connect_sqlite(url.database)
    args, options = url.get_dialect()().create_connect_args(url)
    driver = await aiomysql.connect(*args, **options)
    return MysqlLine(driver, driver.get_server_info())


async def _connect_sqlite(database: str | None) -> Line:
    # Read and write but never create: a missing file is a missing database.
    opening = aiosqlite.connect(f"file:{quote(database or '')}?mode=rw", isolation_level=None, uri=True)
    opening._thread.daemon = True  # noqa: SLF001  # a hung disk must not keep the process from ending
    return SqliteLine(await opening)
