"""Open connections to MySQL and MariaDB, with the parameters of the URL, limits, and detection of a silent network."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiomysql
from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError
from sqlalchemy.engine import URL

from inference_core.core.database_url import connect_arguments
from inference_core.core.db.network import CONNECT_TIMEOUT_S, SILENCE_MARGIN_S, keep_alive
from inference_core.core.settings import Settings


def mysql_arguments(url: URL, settings: Settings) -> dict[str, Any]:
    """Return the arguments of `connect_mysql` for a URL, with the limits of the settings."""
    statement_s = settings.database_statement_timeout_s
    # Each server ignores the comment for the other one. MariaDB uses seconds; MySQL uses milliseconds and limits only
    # SELECT.
    limits = (
        f"/*M!100100 , max_statement_time={statement_s} */ /*!50708 , max_execution_time={int(statement_s * 1000)} */"
    )
    return {
        "connect_timeout": CONNECT_TIMEOUT_S,
        **connect_arguments(url),
        "charset": "utf8mb4",
        "init_command": f"SET SESSION time_zone='+00:00' {limits}",
        "silence_s": statement_s + SILENCE_MARGIN_S,
    }


async def connect_mysql(*, connect_timeout: float = CONNECT_TIMEOUT_S, **arguments: Any) -> Any:
    """Open an aiomysql connection. Raises the errors of the driver, or TimeoutError."""
    connection = MysqlConnection(**arguments)
    # The timeout of the driver covers only the TCP connection, and not a server that accepts it and stays silent.
    async with asyncio.timeout(connect_timeout):
        await connection._connect()  # noqa: SLF001  # what `aiomysql.connect` does
    keep_alive(connection._writer.transport)  # noqa: SLF001
    return connection


class MysqlConnection(aiomysql.Connection):  # type: ignore[misc]  # the driver has no types
    """An aiomysql connection that waits at most `silence_s` for a response, and reports every loss of its server."""

    def __init__(self, *, silence_s: float | None = None, require_tls: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._silence_s = silence_s
        self._require_tls = require_tls

    def is_closed(self) -> bool:
        """Return whether the connection is closed by either side. The name is that of asyncpg."""
        # MySQL sends the reason before it closes a connection, so there can be unread data.
        reader = self._reader
        return reader is None or bool(
            reader.eof_received or reader.exception() is not None or self._writer.is_closing()
        )

    def terminate(self) -> None:
        """Close immediately, without a clean end. The name is that of asyncpg."""
        self.close()

    async def _request_authentication(self) -> None:
        # The driver would continue without TLS.
        if self._require_tls and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server does not offer TLS, which ssl_mode requires")
        await super()._request_authentication()

    async def _read_bytes(self, num_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(self._silence_s):
                return cast("bytes", await super()._read_bytes(num_bytes))
        except TimeoutError:
            self.close()
            raise

    def _write_bytes(self, data: bytes) -> None:
        # uvloop raises RuntimeError for a closed transport. If this process closed it, there is no transport.
        try:
            super()._write_bytes(data)
        except (RuntimeError, AttributeError, OSError) as error:
            self.close()
            raise OperationalError(CR.CR_SERVER_GONE_ERROR, "the server has closed the connection") from error
