"""When a request really begins and ends: stamped where it takes its connection and where it gives it back.

Locust's own stamps lie around the client's preparation of the request and its care for cookies and status afterwards,
0.1 to 0.3 ms of the generator's own work that would count as the target's. Answers that come together, as after a
stall, are read one after the other; each ends when the kernel had all of it, not when its turn came to be read.
"""

from __future__ import annotations

from collections.abc import Mapping

import gevent


class Stopwatch:
    """The times of one request in seconds of `time.perf_counter`, redirects included; `None` where it never got there.

    `began` is before the connection is taken, or made where there is none; `ended` is when the whole answer was there.
    `traceparent` is the header by which the request names its trace, "" until there is one. `is_streamed` says that the
    user reads the answer piece by piece.
    """

    __slots__ = ("began", "ended", "is_streamed", "traceparent")

    def __init__(self, traceparent: str = "", *, is_streamed: bool = False) -> None:
        self.is_streamed = is_streamed
        self.began: float | None = None
        self.ended: float | None = None
        self.traceparent = traceparent

    @property
    def elapsed_ms(self) -> float | None:
        """The latency, or `None` where there was no whole answer."""
        return None if self.began is None or self.ended is None else (self.ended - self.began) * 1000


_running: dict[gevent.Greenlet, Stopwatch] = {}
"""A greenlet carries out one request at a time; several of one user may share its connections."""


class timed:  # noqa: N801 - reads as a word of the `with` statement, and is called for each request
    """Time the request that the block makes with a stopwatch."""

    __slots__ = ("_greenlet", "_outer", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        # Who listens to Locust's request event may make a request in the middle of one.
        self._outer = _running.get(self._greenlet)
        _running[self._greenlet] = self._watch

    def __exit__(self, *_: object) -> None:
        if self._outer is None:
            del _running[self._greenlet]
        else:
            _running[self._greenlet] = self._outer


def running() -> Stopwatch | None:
    """Return the stopwatch of the request that this greenlet is making."""
    return _running.get(gevent.getcurrent())


def under_way() -> Mapping[gevent.Greenlet, Stopwatch]:
    """Return every request that is being made, by its greenlet."""
    return _running
