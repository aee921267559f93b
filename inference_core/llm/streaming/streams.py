"""The streams of one process: their limit and their interruption.

A stream is interrupted if its client disconnects, if its reader stops reading, or if the process shuts down. The task
of the stream is then cancelled, which ends the call of the provider immediately. One timer checks all streams, because
a timer for each token would cost more than the token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from inference_core.core.background import run_until_cancelled
from inference_core.core.loggers import get_logger
from inference_core.core.traffic import OverloadedError, Traffic
from inference_core.llm.streaming.events import PING

log = get_logger(__name__)

Interruption = Literal["gone", "stalled", "shutting_down"]
Write = Callable[[bytes], Awaitable[None]]
CHECK_EVERY_S = 0.25
# The part of the shutdown time that is reserved to store interrupted streams.
SHUTDOWN_RESERVE_S = 1.0


@dataclass(slots=True, eq=False)
class ActiveStream:
    """One stream, from the wait for its first token to its end."""

    write: Write | None = None
    # The time of the last write (loop clock), and whether a write waits for the reader.
    moved_at_s: float = 0.0
    writing: bool = False
    interrupted: Interruption | None = None
    ping: asyncio.Task[None] | None = None
    task: asyncio.Task[object] | None = None

    def interrupt(self, reason: Interruption) -> None:
        """Interrupt the stream at its current or next wait within the context."""
        if self.interrupted is None:
            self.interrupted = reason
            if self.task is not None:
                self.task.cancel()

    async def __aenter__(self) -> Self:
        """Allow interruptions from now on."""
        self.task = asyncio.current_task()
        self.moved_at_s = asyncio.get_running_loop().time()
        if self.interrupted is not None and self.task is not None:
            self.task.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Handle an interruption. Any other cancellation continues."""
        task, self.task = self.task, None
        self.stop_pinging()
        if self.interrupted is None or task is None:
            return False
        if kind is None:
            # The interruption was too late and would otherwise affect the next wait.
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as late:
                error = late
        if task.uncancel() > 0:
            if kind is None and error is not None:
                raise error
            return False
        return kind is None or isinstance(error, asyncio.CancelledError)

    def begin_writing(self, write: Write) -> None:
        """Record the start of the answer. From now on, silences are pinged."""
        self.write = write

    def stop_pinging(self) -> None:
        """Send no more pings."""
        self.write = None
        if self.ping is not None:
            self.ping.cancel()
            self.ping = None

    def check(self, now_s: float, *, ping_every_s: float, stall_after_s: float) -> None:
        """Ping a silent stream, and interrupt one whose reader has stopped."""
        still_s = now_s - self.moved_at_s
        if self.writing:
            if still_s > stall_after_s:
                self.interrupt("stalled")
        elif self.write is not None and still_s > ping_every_s and (self.ping is None or self.ping.done()):
            self.moved_at_s = now_s
            self.ping = asyncio.create_task(self._ping(self.write), name="llm_ping")

    @staticmethod
    async def _ping(write: Write) -> None:
        await write(PING)


@dataclass(slots=True)
class Streams:
    """All streams of this process."""

    traffic: Traffic
    limit: int
    anonymous_limit: int
    ping_every_s: float
    stall_after_s: float
    shutdown_after_s: float
    active: set[ActiveStream] = field(default_factory=set)
    anonymous: int = 0
    draining_since_s: float | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        traffic: Traffic,
        *,
        limit: int,
        anonymous_limit: int,
        ping_every_s: float,
        stall_after_s: float,
        shutdown_s: float,
    ) -> AsyncIterator[Streams]:
        """Check the streams periodically until the context ends.

        Args:
            traffic: Knows whether the process is shutting down.
            limit: Maximum number of concurrent streams; 0 means no limit.
            anonymous_limit: Maximum number of concurrent streams of callers without an account.
            ping_every_s: A ping is sent after a silence of this duration.
            stall_after_s: A stream is interrupted if a write waits longer than this for the reader.
            shutdown_s: The time from the signal within which requests must finish.
        """
        reserve_s = min(SHUTDOWN_RESERVE_S, shutdown_s / 2)
        streams = cls(traffic, limit, anonymous_limit, ping_every_s, stall_after_s, shutdown_s - reserve_s)
        async with run_until_cancelled(streams.check, every_s=CHECK_EVERY_S, name="llm_streams"):
            yield streams

    async def check(self) -> None:
        """Check every stream once."""
        now_s = asyncio.get_running_loop().time()
        if self.traffic.draining and self.draining_since_s is None:
            self.draining_since_s = now_s
        is_over = self.draining_since_s is not None and now_s - self.draining_since_s >= self.shutdown_after_s
        for stream in tuple(self.active):
            if is_over:
                stream.interrupt("shutting_down")
            else:
                stream.check(now_s, ping_every_s=self.ping_every_s, stall_after_s=self.stall_after_s)

    @contextmanager
    def place(self, *, anonymous: bool) -> Iterator[ActiveStream]:
        """Add a stream for the duration of the context.

        Raises:
            OverloadedError: There are too many streams.
        """
        if self.limit and (len(self.active) >= self.limit or (anonymous and self.anonymous >= self.anonymous_limit)):
            raise OverloadedError
        stream = ActiveStream()
        self.active.add(stream)
        self.anonymous += anonymous
        try:
            yield stream
        finally:
            self.active.discard(stream)
            self.anonymous -= anonymous
