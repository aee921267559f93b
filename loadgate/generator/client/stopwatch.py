"""Measure a request from the time it takes a connection to the time its response arrives.

Locust's own times also include 0.1 to 0.3 ms of the generator's work: the preparation of the request, cookies and the
status. If several responses arrive together, for example after a stall, the generator reads them one after the other.
The time of each request ends when the kernel receives the response, not when the generator reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

import gevent


class Stopwatch:
    """The times of one request, including its redirects, in seconds of `time.perf_counter`. `None` until they are set.

    - `began`: just before the connection is taken or opened.
    - `ended`: the arrival of the complete response.
    - `traceparent`: the header with the trace of the request, "" until it is set.
    - `is_streamed`: whether the user reads the response in pieces.
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
"""The stopwatch of the current request of each greenlet. Greenlets of one user can share its connections."""


class timed:  # noqa: N801 - used like a function: `with timed(stopwatch)`
    """Measure the request in the block with a stopwatch."""

    __slots__ = ("_greenlet", "_outer", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        # A listener of Locust's request event can send a request while another one is being recorded.
        self._outer = _running.get(self._greenlet)
        _running[self._greenlet] = self._watch

    def __exit__(self, *_: object) -> None:
        if self._outer is None:
            del _running[self._greenlet]
        else:
            _running[self._greenlet] = self._outer


def running() -> Stopwatch | None:
    """Return the stopwatch of this greenlet's current request. `None` if there is none."""
    return _running.get(gevent.getcurrent())


def under_way() -> Mapping[gevent.Greenlet, Stopwatch]:
    """Return all requests in flight by their greenlets."""
    return _running
