"""Probe the database over a separate connection, so that an exhausted pool does not look like an outage."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import make_url

from inference_core.core.exceptions import DependencyUnavailableError
from inference_core.health.drivers import Line, connect

PROBE_TIMEOUT_S = 1.0


class DatabaseDownError(DependencyUnavailableError):
    """Raised if the database does not respond in time. Retry after `retry_after_s` seconds."""

    code = "database_unavailable"
    detail = "The database is not available. Try again shortly."


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one round trip."""

    dialect: str
    server_version: str
    round_trip_ms: float


@dataclass(slots=True)
class DatabaseProbe:
    """One connection, which is opened again after every failure.

    Fast path: requests that arrive during a probe share the next one. Each still has its own round trip; they share the
    way to the driver, which for SQLite is a switch to a thread and costs several round trips.
    """

    database_url: str
    dialect: str
    timeout_s: float = PROBE_TIMEOUT_S
    line: Line | None = None
    waiting: deque[asyncio.Future[Answer]] = field(default_factory=deque)
    asking: asyncio.Task[None] | None = None
    closing: set[asyncio.Future[Any]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator[DatabaseProbe]:
        """Create the probe, which connects on first use. Close its connection at the end."""
        probe = cls(database_url, make_url(database_url).get_backend_name())
        try:
            yield probe
        finally:
            if probe.asking is not None:
                probe.asking.cancel()
                await asyncio.wait([probe.asking])
            probe.drop()
            if probe.closing:
                await asyncio.wait(probe.closing, timeout=probe.timeout_s)

    async def ask(self) -> Answer:
        """Make one round trip.

        Raises:
            DatabaseDownError: The database did not respond within `timeout_s`.
        """
        turn: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(self._ask_for_all())
        try:
            async with asyncio.timeout(self.timeout_s):
                return await turn
        except TimeoutError as error:
            raise DatabaseDownError from error

    async def _ask_for_all(self) -> None:
        while self.waiting:
            turns, self.waiting = self.waiting, deque()
            try:
                async with asyncio.timeout(self.timeout_s):
                    await self._ask(turns)
            except asyncio.CancelledError:
                _fail(turns)
                raise
            except Exception as error:  # noqa: BLE001  # each driver has a family of errors of its own
                # The next data on this connection would belong to an earlier query.
                self.drop()
                _fail(turns, error)

    async def _ask(self, turns: deque[asyncio.Future[Answer]]) -> None:
        line = self.line = self.line or await connect(self.database_url)
        async for round_trip_s in line.ask(len(turns)):
            turn = turns.popleft()
            if not turn.done():
                turn.set_result(Answer(self.dialect, line.server_version, round(round_trip_s * 1000, 3)))

    def drop(self) -> None:
        """Close the connection, if any. The next probe opens a new one."""
        line, self.line = self.line, None
        if line is not None and (closing := line.cut()) is not None:
            self.closing.add(closing)
            closing.add_done_callback(self.closing.discard)


def _fail(turns: Iterable[asyncio.Future[Answer]], cause: Exception | None = None) -> None:
    for turn in turns:
        if not turn.done():
            down = DatabaseDownError()
            down.__cause__ = cause
            turn.set_exception(down)
