"""When a request really begins and ends: stamped where it takes its connection and where it gives it back.

Locust's own stamps lie around the client's preparation of the request and its care for cookies and status afterwards,
0.1 to 0.5 ms of the generator's own work that would count as the target's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from geventhttpclient.client import HTTPClient
from locust.contrib.fasthttp import FastRequest, FastResponse, LocustUserAgent


class Stopwatch:
    """The times of one request in seconds of `time.perf_counter`, redirects included; `None` where it never got there.

    `began` is before the connection is taken, or made where there is none; `ended` is when the whole answer was read.
    """

    __slots__ = ("began", "ended")

    def __init__(self) -> None:
        self.began: float | None = None
        self.ended: float | None = None

    @property
    def elapsed_ms(self) -> float | None:
        """The latency, or `None` where there was no whole answer."""
        return None if self.began is None or self.ended is None else (self.ended - self.began) * 1000


_running: dict[gevent.Greenlet, Stopwatch] = {}
"""A greenlet carries out one request at a time; several of one user may share its connections."""


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time the request that the block makes."""
    current = gevent.getcurrent()
    watch = _running[current] = Stopwatch()
    try:
        yield watch
    finally:
        del _running[current]


class TimedUserAgent(LocustUserAgent):
    """Locust's user agent on connections that stamp the stopwatch of their request."""

    def _urlopen(self, request: FastRequest) -> FastResponse:  # type: ignore[override]  # Locust's is untyped
        client = self.clientpool.get_client(request.url_split)
        if "get_socket" not in client._connection_pool.__dict__:  # noqa: SLF001 - no public way to a client's pool
            _stamp(client)
        response: FastResponse = super()._urlopen(request)  # type: ignore[no-untyped-call]
        return response


def _stamp(client: HTTPClient) -> None:
    pool = client._connection_pool  # noqa: SLF001 - as above
    take, give_back, drop = pool.get_socket, pool.return_socket, pool.release_socket

    def get_socket() -> gevent.socket.socket:
        watch = _running.get(gevent.getcurrent())
        if watch is not None and watch.began is None:
            watch.began = time.perf_counter()
        return take()

    def return_socket(sock: gevent.socket.socket) -> None:
        _end()
        give_back(sock)

    def release_socket(sock: gevent.socket.socket) -> None:
        _end()
        drop(sock)

    pool.get_socket = get_socket  # type: ignore[method-assign]
    pool.return_socket = return_socket  # type: ignore[method-assign]
    pool.release_socket = release_socket  # type: ignore[method-assign]


def _end() -> None:
    watch = _running.get(gevent.getcurrent())
    if watch is not None:
        watch.ended = time.perf_counter()
