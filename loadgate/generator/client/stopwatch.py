"""Measure the start and the end of a request at the points where it takes and returns its connection.

Locust's own times include the preparation of the request and the processing of cookies and status, which are 0.1 to
0.3 ms of work of the generator and not of the target. Responses that arrive together, for example after a stall, are
read one after the other. Each one ends when the kernel has received it, not when the generator reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

import gevent


class Stopwatch:
    """The times of one request in seconds of `time.perf_counter`, including redirects. `None` if not reached.

    `began` is the time before the connection is taken or opened; `ended` is the arrival of the complete response.
    `traceparent` is the header with the trace of the request, "" until it is set. `is_streamed` says that the user
    reads the response in pieces.
    """

    __slots__ = ("began", "ended", "is_streamed", "traceparent")

    def __init__(self, traceparent: str = "", *, is_streamed: bool = False) -> None:
        self.is_streamed = is_streamed
        self.began: float | None = None
        self.ended: float | None = None
        self.traceparent = traceparent

    @property
    def elapsed_ms(self) -> float | None:
        """Return the latency. `None` without a complete response."""
        return None if self.began is None or self.ended is None else (self.ended - self.began) * 1000


_running: dict[gevent.Greenlet, Stopwatch] = {}
"""The stopwatch of each greenlet. A greenlet has one request at a time; greenlets of a user can share connections."""


class timed:  # noqa: N801 - reads as a word of the `with` statement, and is called for each request
    """Measure the request in the block with a stopwatch."""

    __slots__ = ("_greenlet", "_outer", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        # A listener of Locust's request event can send a request during another one.
        self._outer = _running.get(self._greenlet)
        _running[self._greenlet] = self._watch

    def __exit__(self, *_: object) -> None:
        if self._outer is None:
            del _running[self._greenlet]
        else:
            _running[self._greenlet] = self._outer


def running() -> Stopwatch | None:
    """Return the stopwatch of the current request of this greenlet."""
    return _running.get(gevent.getcurrent())


def under_way() -> Mapping[gevent.Greenlet, Stopwatch]:
    """Return all requests in flight by their greenlets."""
    return _running
