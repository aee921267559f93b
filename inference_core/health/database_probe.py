"""Asks the database for a sign of life over a connection of its own, so that a full pool does not look like a death."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import make_url

from inference_core.exceptions import DependencyUnavailableError
from inference_core.health.drivers import Line, connect

PROBE_TIMEOUT_S = 1.0


class DatabaseDownError(DependencyUnavailableError):
    """The database does not answer in time; try again in `retry_after_s` seconds."""

    code = "database_unavailable"
    detail = "The database is not available. Try again shortly."


@dataclass(frozen=True, slots=True)
class Answer:
    """One sign of life."""

    dialect: str
    server_version: str
    round_trip_ms: float


@dataclass(slots=True)
class DatabaseProbe:
    """One connection, used by one question at a time, made anew after every failure."""

    database_url: str
    dialect: str
    timeout_s: float = PROBE_TIMEOUT_S
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    line: Line | None = None
    closing: set[asyncio.Future[Any]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator[DatabaseProbe]:
        """Make the probe, which connects when first asked, and close its connection at the end."""
        probe = cls(database_url, make_url(database_url).get_backend_name())
        try:
            yield probe
        finally:
            probe.drop()
            if probe.closing:
                await asyncio.wait(probe.closing, timeout=probe.timeout_s)

    async def ask(self) -> Answer:
        """One real round trip.

        Raises:
            DatabaseDownError: within `timeout_s`.
        """
        try:
            async with asyncio.timeout(self.timeout_s), self.lock:
                return await self._ask()
        except TimeoutError as error:
            raise DatabaseDownError from error

    async def _ask(self) -> Answer:
        try:
            line = self.line = self.line or await connect(self.database_url)
            start_s = time.perf_counter()
            await line.ask()
        except asyncio.CancelledError:
            # A question without its answer: what arrives next on this connection would answer the wrong one.
            self.drop()
            raise
        except Exception as error:
            # Each driver has a family of errors of its own, and any of them means that the answer did not come.
            self.drop()
            raise DatabaseDownError from error
        return Answer(self.dialect, line.server_version, round((time.perf_counter() - start_s) * 1000, 3))

    def drop(self) -> None:
        """Close the connection, if any; the next question opens another."""
        line, self.line = self.line, None
        if line is not None and (closing := line.cut()) is not None:
            self.closing.add(closing)
            closing.add_done_callback(self.closing.discard)
