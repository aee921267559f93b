"""Drop unusable connections to PostgreSQL and MySQL, without a wait and without a ping before each use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from inference_core.core.db.postgresql import PoolerBusyError, is_pooled

# PostgreSQL: the server became a read-only standby.
READ_ONLY_SQLSTATE = "25006"
INTERNAL_ERROR_SQLSTATE = "XX000"
# MySQL and MariaDB: the server or its transactions are read-only (a demoted primary), or it is shutting down.
READ_ONLY_ERRORS = {1290, 1792, 1836}
SHUTDOWN_ERROR = 1053


class ConnectionHygiene:
    """A watch over the pool of one engine, which uses asyncpg or `MysqlConnection`.

    The pool does not return closed connections. It drops a connection that was cut, that does not respond, whose server
    has become read-only, or whose prepared statements are older than a change of their tables. The first three causes
    probably affect the idle connections too. Those are therefore also dropped, and `on_drop` is called for connections
    outside of the pool.
    """

    def __init__(self, engine: Engine) -> None:
        self.on_drop: Callable[[], None] | None = None
        self._idle: set[Any] = set()
        _outlive_reset(engine.dialect)
        event.listen(engine, "handle_error", self._judge)
        event.listen(engine.pool, "checkout", self._refuse_closed)
        event.listen(engine.pool, "checkin", self._note_idle)
        event.listen(engine.pool, "close", self._forget)
        event.listen(engine.pool, "invalidate", self._cut)

    def drop_idle(self) -> None:
        """Close the idle connections. The pool replaces them on demand."""
        while self._idle:
            self._idle.pop().terminate()
        if self.on_drop is not None:
            self.on_drop()

    def read_without_transaction(self, connection: Connection) -> None:
        """Set autocommit on a connection that was checked out. On MySQL, this is a round trip.

        Through a pooler, reads have transactions, because only these have limits.

        SQLAlchemy has an option for this, but if the connection is cut at this point, it is neither dropped nor
        returned to the pool.
        """
        if is_pooled(connection.connection.driver_connection):
            return
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        except BaseException:
            if _driver_has_closed(connection):
                self.drop_idle()
            connection.invalidate()
            connection.close()
            raise

    def _judge(self, context: ExceptionContext) -> None:
        error = context.original_exception
        # The timeout of the driver is not an error of the driver. SQLAlchemy would therefore keep the connection and
        # send a rollback, which would time out too.
        if isinstance(error, PoolerBusyError):
            pass  # the idle connections are intact, and to open them again would add to the load of the pooler
        elif isinstance(error, TimeoutError) or is_read_only(error) or context.is_disconnect or _has_closed(context):
            self.drop_idle()
        elif not is_stale(error):
            return
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False

    def _refuse_closed(self, connection: DBAPIConnection, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        self._idle.discard(connection.driver_connection)
        # Fast path: the event loop already knows that the server has closed the connection. A ping would be a round
        # trip.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    def _note_idle(self, connection: DBAPIConnection | None, _: ConnectionPoolEntry) -> None:
        if connection is not None:  # None if it was invalidated
            self._idle.add(connection.driver_connection)

    def _forget(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        self._idle.discard(connection.driver_connection)

    def _cut(self, connection: DBAPIConnection, _: ConnectionPoolEntry, __: BaseException | None) -> None:
        # A clean close would wait for a server that may not respond.
        self._idle.discard(connection.driver_connection)
        connection.driver_connection.terminate()


def _outlive_reset(dialect: Dialect) -> None:
    """Return a cut connection to the pool, which discards it.

    SQLAlchemy rolls a connection back and resets its isolation level when it is returned. The result was already read
    completely, so an error at this point is not an error of the request.
    """
    for name in ("do_rollback", "reset_isolation_level"):
        setattr(dialect, name, _forgiving_loss(getattr(dialect, name)))


def _forgiving_loss(step: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(step)
    def carried_out(connection: Any) -> None:
        try:
            step(connection)
        except Exception:
            if not connection.driver_connection.is_closed():
                raise

    return carried_out


def _has_closed(context: ExceptionContext) -> bool:
    # SQLAlchemy knows only some of the errors after which the driver closes a connection.
    connection = context.connection
    if connection is None or connection.closed or connection.invalidated:
        return False
    return _driver_has_closed(connection)


def _driver_has_closed(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return driver is not None and bool(driver.is_closed())


def is_read_only(error: BaseException | None) -> bool:
    """Return whether the server has become read-only."""
    return getattr(error, "sqlstate", None) == READ_ONLY_SQLSTATE or _mysql_code(error) in READ_ONLY_ERRORS


def is_stale(error: BaseException | None) -> bool:
    """Return whether the connection has an outdated state of the tables, or its server is about to close it."""
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        return True
    if getattr(error, "sqlstate", None) == INTERNAL_ERROR_SQLSTATE:
        return "cache lookup failed" in str(error)
    return _mysql_code(error) == SHUTDOWN_ERROR


def _mysql_code(error: BaseException | None) -> int | None:
    code = error.args[0] if error is not None and error.args else None
    return code if isinstance(code, int) and not isinstance(error, OSError) else None
