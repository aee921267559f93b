"""Drops PostgreSQL connections that are of no use any more, without waiting for them and without asking first."""

from __future__ import annotations

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection


def drop_broken_connections(engine: Engine) -> None:
    """Have the pool of `engine`, which is over asyncpg, lend no closed connection and keep no silent one."""
    event.listen(engine, "handle_error", _give_up_on_silence)
    event.listen(engine.pool, "checkout", _refuse_closed)
    event.listen(engine.pool, "invalidate", _cut)


def _give_up_on_silence(context: ExceptionContext) -> None:
    # asyncpg's own time limit is no error of the driver, so that SQLAlchemy would keep the connection and send it a
    # rollback, which nobody answers either.
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _refuse_closed(connection: DBAPIConnection, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
    # The event loop has seen the server hang up already: one look, where a ping would be a round trip.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _cut(connection: DBAPIConnection, _: ConnectionPoolEntry, __: BaseException | None) -> None:
    # Closing it politely would wait for a server that may never say anything again.
    connection.driver_connection.terminate()
