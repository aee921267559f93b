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
    """When a whole request must be over, on the clock of the event loop; `shortened` if its client wanted it so."""

    at: float
    shortened: bool = False

    @classmethod
    def after(cls, limit_s: float, wanted_s: float | None = None) -> Deadline:
        """Return the deadline after `limit_s`, or after `wanted_s` if that is less."""
        shortened = wanted_s is not None and wanted_s < limit_s
        seconds = wanted_s if wanted_s is not None and shortened else limit_s
        return cls(asyncio.get_running_loop().time() + seconds, shortened)

    def within(self, limit_s: float) -> Deadline:
        """Return the deadline of one attempt, which may take `limit_s` from now."""
        return replace(self, at=min(self.at, asyncio.get_running_loop().time() + limit_s))

    @property
    def passed(self) -> bool:
        """Return whether the deadline has passed."""
        return asyncio.get_running_loop().time() >= self.at

    @asynccontextmanager
    async def bound(self, provider: str) -> AsyncIterator[None]:
        """End what runs inside, which waits for nobody but the provider, at the deadline.

        Raises:
            ProviderTimeoutError: of the phase `total`; a failure of the provider unless the deadline was shortened.
        """
        try:
            async with asyncio.timeout_at(self.at):
                yield
        except TimeoutError:
            error = ProviderTimeoutError(provider, "total")
            error.counts = not self.shortened
            raise error from None


class Patience:
    """Cancels a wait that takes too long, as `asyncio.timeout` does.

    A timer for each of thousands of items a second would cost more than the items. Here one timer runs for the whole
    stream; when it fires, it looks how long the present wait may still take, and is set again for that moment.
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
        """Await, for at most `limit_s` and not beyond the deadline; one wait at a time.

        Raises:
            ProviderTimeoutError: naming `phase`, or `total` for the deadline.
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
        """Handle the end of a wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.end()
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
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
