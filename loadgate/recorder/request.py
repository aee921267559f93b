"""One finished request, in the form that the recorder accepts."""

from collections.abc import Callable
from typing import NamedTuple, Self

from loadgate.recorder.cells import Outcome
from loadgate.recorder.exemplars import RequestIds


class FinishedRequest(NamedTuple):
    """A request that has succeeded or failed. Durations are in milliseconds, times in epoch seconds.

    It is a tuple because a frozen dataclass takes four times as long to create (docs/decisions/fast-paths.md).
    """

    name: str
    outcome: Outcome
    start_s: float
    """The time at which it was sent or, in an open model, its intended start."""
    latency_ms: float | None
    """The time from `start_s` to the end. None for a request without a time. Such a request is only counted."""
    method: str = ""
    """Its method or type. Requests with the same name and different methods are different requests."""
    response_bytes: int = 0
    error: str | None = None
    """The text under which a failure is counted."""
    group: str = ""
    """The group of its user class. A request with "" counts only under its name and in `overall`."""
    service_ms: float | None = None
    """Its service time, given only in an open model."""
    ids: Callable[[], RequestIds] | None = None
    """Returns the ids of the request in the target's logs. It is called only for exemplars."""

    @property
    def end_s(self) -> float:
        """Return the end in epoch seconds. Without a latency, it is the start."""
        return self.start_s + (self.latency_ms or 0.0) / 1000

    def with_valid_texts(self) -> Self:
        """Return a copy whose texts contain no lone surrogates."""
        error = self.error
        is_error_valid = error is None or error.isascii()
        if is_error_valid and self.name.isascii() and self.method.isascii() and self.group.isascii():
            return self
        return self._replace(
            name=without_surrogates(self.name),
            method=without_surrogates(self.method),
            group=without_surrogates(self.group),
            error=None if error is None else without_surrogates(error),
        )


class Measure(NamedTuple):
    """A duration, measured at `at_s` (epoch seconds). Rules read it by its name or its group ("" for none)."""

    name: str
    group: str
    value_ms: float
    at_s: float


def without_surrogates(text: str) -> str:
    """Return the text without lone surrogates, which cannot be encoded. Truncated JSON can contain them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
