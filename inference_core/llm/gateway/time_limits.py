"""Time limits of a stream: a limit for each item and a deadline for all, with one timer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from inference_core.llm.errors import Phase, ProviderTimeoutError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a request's time, by the clock of the event loop. `shortened` is true if the client reduced it."""

    at: float
    shortened: bool = False

    @classmethod
    def after(cls, limit_s: float, wanted_s: float | None = None) -> Deadline:
        """Return the deadline after `limit_s`, or after `wanted_s` if that is less."""
        shortened = wanted_s is not None and wanted_s < limit_s
        seconds = wanted_s if wanted_s is not None and shortened else limit_s
        return cls(asyncio.get_running_loop().time() + seconds, shortened)

    def within(self, limit_s: float) -> Deadline:
        """Return the deadline of one attempt with a limit of `limit_s` from now."""
        return replace(self, at=min(self.at, asyncio.get_running_loop().time() + limit_s))

    @property
    def passed(self) -> bool:
        """Return whether the deadline has passed."""
        return asyncio.get_running_loop().time() >= self.at

    @asynccontextmanager
    async def bound(self, provider: str) -> AsyncIterator[None]:
        """Cancel the body of the context at the deadline. The body must wait only for the provider.

        Raises:
            ProviderTimeoutError: In the phase `total`. It counts as a failure of the provider unless the client
                shortened the deadline.
        """
        try:
            async with asyncio.timeout_at(self.at):
                yield
        except TimeoutError:
            error = ProviderTimeoutError(provider, "total")
            error.counts = not self.shortened
            raise error from None


class WaitTimer:
    """Cancel a wait that takes too long, as `asyncio.timeout` does, with one timer for all waits of a stream.

    When the timer fires before the end of the current wait, it is set again for this end.

    Fast path: benchmarks/llm_streams.py; a timer for each item doubles the cost of a token.
    """

    __slots__ = ("_deadline_at", "_due", "_expired", "_loop", "_provider", "_task", "_timer")

    def __init__(self, provider: str, deadline: Deadline) -> None:
        self._provider = provider
        self._deadline_at = deadline.at
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._due = 0.0
        self._expired = False

    async def wait(self, awaitable: Awaitable[T], limit_s: float, phase: Phase) -> T:
        """Await for at most `limit_s`, and at most until the deadline. Waits must not overlap.

        Raises:
            ProviderTimeoutError: With `phase`, or with `total` for the deadline.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in a task
        cancelling = task.cancelling()
        self._due = due = min(self._loop.time() + limit_s, self._deadline_at)
        self._task = task
        if self._timer is None or self._timer.when() > due:
            self._set_timer()
        try:
            result = await awaitable
        except asyncio.CancelledError:
            if not self._expired or task.uncancel() > cancelling:
                raise
            raise self._timeout(phase) from None
        finally:
            self._task = None
        if self._expired:  # the awaited task ignored its cancellation
            task.uncancel()
            raise self._timeout(phase)
        return result

    def end(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.end()
        self._timer = self._loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._task is None:
            return  # the next wait starts it again
        if self._loop.time() < self._due:
            self._set_timer()
        else:
            self._expired = True
            self._task.cancel()

    def _timeout(self, phase: Phase) -> ProviderTimeoutError:
        return ProviderTimeoutError(self._provider, "total" if self._due >= self._deadline_at else phase)
