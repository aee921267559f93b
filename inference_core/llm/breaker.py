"""Leaves a provider alone that failed several times in a row, and tries it again with one request after a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inference_core.llm.errors import CircuitOpenError


@dataclass(slots=True)
class CircuitBreaker:
    """Closed: calls pass. Open: none does, for `open_s`. Half open: one passes, and decides.

    Whoever calls says `enter`, then `answered` when the first piece came, and one of `succeeded`, `failed`, `left` at
    the end. A call that neither succeeded nor failed, such as one its client gave up, says nothing about the provider.
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
        """Whether a call would be refused now."""
        return self.opened_at is not None and (self.trying or self._remaining_s() > 0)

    def enter(self) -> None:
        """Ask to call.

        Raises:
            CircuitOpenError: not now; with the seconds to wait.
        """
        if self.is_open:
            retry_after_s = max(1, math.ceil(self._remaining_s()))
            raise CircuitOpenError(self.provider, "circuit open", retry_after_s=retry_after_s)
        self.trying = self.opened_at is not None

    def answered(self) -> None:
        """The first piece came: others may pass again, but one more failure is one too many until a call succeeds."""
        if self.opened_at is not None:
            self.opened_at, self.trying, self.failures = None, False, self.failures_allowed - 1

    def succeeded(self) -> None:
        """The call ended as it should."""
        self.failures, self.opened_at, self.trying = 0, None, False

    def failed(self) -> None:
        """The provider failed."""
        self.failures += 1
        self.trying = False
        if self.failures >= self.failures_allowed:
            self.opened_at = self.clock()

    def left(self) -> None:
        """The call ended without saying anything about the provider."""
        self.trying = False

    def _remaining_s(self) -> float:
        assert self.opened_at is not None  # noqa: S101  # asked for an open circuit only
        return self.opened_at + self.open_s - self.clock()
