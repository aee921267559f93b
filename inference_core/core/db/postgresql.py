"""Open connections to PostgreSQL, directly or through a pooler such as PgBouncer.

A pooler that shares its server connections can run each transaction of a client on another one. Whatever a client sets
or prepares for its session is then missing in its next transaction, and present in those of other clients. Poolers also
refuse most startup parameters. So limits are never startup parameters. A direct connection sets them for its session
right after the start. A connection through a pooler sets them in each transaction, and prepares no named statements.

A pooler is recognised by the process id: it tells its clients another one than that of the server process. The
parameter `pgbouncer=true` of the URL declares a pooler that passes on the id of the server process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

from inference_core.core.database_url import connect_arguments, is_declared_pooler
from inference_core.core.db.network import CONNECT_TIMEOUT_S, SILENCE_MARGIN_S, keep_alive
from inference_core.core.loggers import get_logger
from inference_core.core.settings import Settings

log = get_logger(__name__)

# A statement was prepared under a name on another server connection, or its name is in use there.
LOST_STATEMENT_SQLSTATES = {"26000", "42P05"}
ENGINE_ARGUMENTS = ("prepared_statement_cache_size",)
UNDECLARED_POOLER = (
    "prepared statements are lost between transactions; if DATABASE_URL leads to a pooler in transaction mode, add the "
    "parameter pgbouncer=true to it"
)


class PoolerBusyError(TimeoutError):
    """Raised if the pooler has no free connection to the server in time."""


async def open_connection(arguments: Mapping[str, Any]) -> Any:
    """Open a connection of the driver, without limits. Raises the errors of the driver, or OSError."""
    own = {name: value for name, value in arguments.items() if name not in ENGINE_ARGUMENTS}
    connection = await asyncpg.connect(**own)
    keep_alive(connection._transport)  # noqa: SLF001  # the driver has no hook for its socket
    return connection


class PoolerFoundError(Exception):
    """Raised if a connection that was opened as a direct one leads to a pooler. The next attempt knows it."""


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection through a pooler. Each transaction begins with its own limits.

    Statements of requests run in transactions only, because a statement outside of one would have no limits.
    """

    limits = ""
    wait_s = 0.0

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Execute a statement without rows. The first one of a transaction also sets the limits, in one round trip.

        Raises:
            PoolerBusyError: A transaction waits longer than `wait_s` for a connection to the server.
        """
        if not query.startswith("BEGIN"):
            return await super().execute(query, *args, timeout=timeout)
        try:
            return await super().execute(f"{query} {self.limits}", timeout=self.wait_s)
        except TimeoutError as error:
            raise PoolerBusyError(f"the pooler had no free server connection within {self.wait_s:g} s") from error


def is_pooled(connection: object) -> bool:
    """Return whether a connection of a driver leads through a pooler."""
    # The driver lets `isinstance` accept any of its connections for each of its classes.
    return type(connection) is PooledConnection


@dataclass(slots=True)
class PostgresqlConnector:
    """Opens the connections of a process with the limits of its settings, and remembers whether there is a pooler.

    Attributes:
        arguments: The arguments of `asyncpg.connect`, without the limits.
        engine_arguments: The arguments of SQLAlchemy's adapter of the driver.
        limits: Parameters of the server and their values.
        wait_s: The longest wait for a server connection of the pooler.
    """

    arguments: dict[str, Any]
    engine_arguments: dict[str, Any]
    limits: Mapping[str, str]
    wait_s: float
    through_pooler: bool

    @classmethod
    def of(cls, url: URL, settings: Settings) -> PostgresqlConnector:
        """Return the connector for a URL, with the limits of the settings."""
        statement_s = settings.database_statement_timeout_s
        given = {"timeout": CONNECT_TIMEOUT_S, **connect_arguments(url)}
        # PgBouncer keeps the name and the time zone of each of its clients.
        names = {"application_name": settings.app_name, **given.get("server_settings", {}), "timezone": "UTC"}
        limits = {
            "statement_timeout": str(int(statement_s * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "jit": "off",
        }
        return cls(
            arguments=given | {"server_settings": names, "command_timeout": statement_s + SILENCE_MARGIN_S},
            engine_arguments={name: given[name] for name in ENGINE_ARGUMENTS if name in given},
            limits=limits,
            wait_s=settings.database_pool_timeout_s,
            through_pooler=is_declared_pooler(url),
        )

    def connect_engine(self, dialect: Dialect) -> DBAPIConnection:
        """Open a connection for an engine. Raises the errors of the dialect, or OSError."""
        try:
            return self._adapted(dialect)
        except PoolerFoundError:
            return self._adapted(dialect)

    async def connect(self) -> Any:
        """Open a connection of the driver. Raises the errors of the driver, or OSError."""
        try:
            return await self._open()
        except PoolerFoundError:
            return await self._open()

    def _adapted(self, dialect: Dialect) -> DBAPIConnection:
        arguments = {**self.engine_arguments, "async_creator_fn": self._open}
        if self.through_pooler:
            arguments["prepared_statement_cache_size"] = 0
        return dialect.connect(**arguments)

    async def _open(self) -> Any:
        if self.through_pooler:
            return await self._open_pooled()
        connection = await open_connection(self.arguments)
        try:
            is_direct = await self._set_session_limits(connection)
        except BaseException:
            connection.terminate()
            raise
        if is_direct:
            return connection
        connection.terminate()
        self.through_pooler = True
        log.info("database_pooler_found")
        raise PoolerFoundError

    async def _open_pooled(self) -> PooledConnection:
        unnamed = {"statement_cache_size": 0, "connection_class": PooledConnection}
        connection: PooledConnection = await open_connection(self.arguments | unnamed)
        connection.limits = " ".join(f"SET LOCAL {name} = '{value}';" for name, value in self.limits.items())
        connection.wait_s = self.wait_s
        return connection

    async def _set_session_limits(self, connection: Any) -> bool:
        """Set the limits if the connection leads to the server itself, and return whether it does."""
        assignments = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in self.limits.items())
        condition = f"pg_backend_pid() = {connection.get_server_pid()}"
        # Without arguments, the driver prepares no statement.
        status = await connection.execute(f"SELECT {assignments} WHERE {condition}", timeout=CONNECT_TIMEOUT_S)
        return bool(status == "SELECT 1")
