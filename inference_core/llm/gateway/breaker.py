"""The circuit breaker: skip a provider after consecutive failures, and try it again with one request after a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inference_core.llm.errors import CircuitOpenError


@dataclass(slots=True)
class CircuitBreaker:
    """A circuit breaker: closed (calls pass), open (no call for `open_s`), or half open (one call decides).

    A caller calls `enter`, then `answered` at the first piece of the answer, and finally `succeeded`, `failed` or
    `left`. A call that neither succeeded nor failed, such as a cancelled one, does not change the state.
    """

    provider: str
    failures_allowed: int
    open_s: float
    clock: Callable[[], float] = time.monotonic
    failures: int = field(default=0, init=False)
    opened_at: float | None = field(default=None, init=False)
    trying: bool = field(default=False, init=False)

    @property
    def is_open(self) -> bool:
        """Return whether a call would be refused now."""
        return self.opened_at is not None and (self.trying or self._remaining_s() > 0)

    def enter(self) -> None:
        """Request a call.

        Raises:
            CircuitOpenError: The circuit breaker is open. The error contains the seconds to wait.
        """
        if self.is_open:
            retry_after_s = max(1, math.ceil(self._remaining_s()))
            raise CircuitOpenError(self.provider, "circuit open", retry_after_s=retry_after_s)
        self.trying = self.opened_at is not None

    def answered(self) -> None:
        """Record the first piece of an answer.

        Other calls pass again, but until a call succeeds, one more failure opens the breaker.
        """
        if self.opened_at is not None:
            self.opened_at, self.trying, self.failures = None, False, self.failures_allowed - 1

    def succeeded(self) -> None:
        """Record a successful call."""
        self.failures, self.opened_at, self.trying = 0, None, False

    def failed(self) -> None:
        """Record a failure of the provider."""
        self.failures += 1
        self.trying = False
        if self.failures >= self.failures_allowed:
            self.opened_at = self.clock()

    def left(self) -> None:
        """Record the end of a call that neither succeeded nor failed."""
        self.trying = False

    def _remaining_s(self) -> float:
        assert self.opened_at is not None  # noqa: S101  # callers have checked that the breaker is open
        return self.opened_at + self.open_s - self.clock()
