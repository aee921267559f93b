"""One finished request, as it is handed from whoever saw it to the recorder."""

from collections.abc import Callable
from typing import NamedTuple, Self

from loadgate.recorder.cells import Outcome
from loadgate.recorder.kept import RequestIds


class FinishedRequest(NamedTuple):
    """A request that has ended, well or not. Times are in milliseconds, moments in epoch seconds.

    A tuple, since every request makes one: a frozen dataclass takes five times as long to make.
    """

    name: str
    outcome: Outcome
    start_s: float
    """When it was sent or, in an open model, was meant to be sent."""
    latency_ms: float | None
    """Counts from `start_s`; None for a request without a time, which is counted and has no latency."""
    method: str = ""
    """Its method or type: requests of one name and different methods are different requests."""
    response_bytes: int = 0
    error: str | None = None
    """What a failure is counted under."""
    group: str = ""
    """That of its user class, "" for none: it then counts under its name and `overall` alone."""
    service_ms: float | None = None
    """The time from its actual sending, given only in an open model."""
    ids: Callable[[], RequestIds] | None = None
    """Gives what names it in the target's logs; asked for the few requests that are kept one by one."""

    def whole(self) -> Self:
        """Return it with texts that a file can hold; see `whole_text`."""
        error = self.error
        has_whole_error = error is None or error.isascii()
        if has_whole_error and self.name.isascii() and self.method.isascii() and self.group.isascii():
            return self
        return self._replace(
            name=whole_text(self.name),
            method=whole_text(self.method),
            group=whole_text(self.group),
            error=None if error is None else whole_text(error),
        )


def whole_text(text: str) -> str:
    """Return the text without halves of characters, as a cut JSON string or an argument has: no file can hold them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
