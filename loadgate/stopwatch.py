"""When a request really begins and ends: stamped where it takes its connection and where it gives it back.

Locust's own stamps lie around the client's preparation of the request and its care for cookies and status afterwards,
0.1 to 0.3 ms of the generator's own work that would count as the target's. Answers that come together, as after a
stall, are read one after the other; each ends when the event loop found it there, not when its turn came to be read.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import gevent
import gevent.socket
from geventhttpclient.client import HTTPClient


class Stopwatch:
    """The times of one request in seconds of `time.perf_counter`, redirects included; `None` where it never got there.

    `began` is before the connection is taken, or made where there is none; `ended` is when the whole answer was there
    to be read.
    `traceparent` is the header by which the request names its trace, "" until there is one.
    """

    __slots__ = ("began", "ended", "traceparent")

    def __init__(self, traceparent: str = "") -> None:
        self.began: float | None = None
        self.ended: float | None = None
        self.traceparent = traceparent

    @property
    def elapsed_ms(self) -> float | None:
        """The latency, or `None` where there was no whole answer."""
        return None if self.began is None or self.ended is None else (self.ended - self.began) * 1000


class _EventLoopTurn:
    """When the event loop last came back from waiting for sockets, in seconds of `time.perf_counter`."""

    __slots__ = ("_watcher", "began")

    def __init__(self) -> None:
        self.began = time.perf_counter()
        # Before what the turn found is carried out, whatever it is; it keeps no loop alive.
        self._watcher = gevent.get_hub().loop.check(ref=False, priority=2)
        self._watcher.start(self._begin)

    def _begin(self) -> None:
        self.began = time.perf_counter()


@functools.cache
def _turn_of(_hub: gevent.hub.Hub) -> _EventLoopTurn:
    return _EventLoopTurn()


class StampedSocket(gevent.socket.socket):  # type: ignore[misc]  # gevent is untyped here
    """A socket that knows when what it read last was there to be read, as far as the event loop can tell."""

    __slots__ = ("_turn", "readable")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = _turn_of(gevent.get_hub())
        self.readable: float | None = None
        """In seconds of `time.perf_counter`; `None` before the request has read anything."""

    def recv(self, *arguments: Any) -> bytes:
        """Read; see `socket.socket.recv`."""
        asked = time.perf_counter()
        try:
            received: bytes = super().recv(*arguments)
        finally:
            # The turn that ended a wait found the socket readable; without a wait it may have become so just now.
            began = self._turn.began
            self.readable = began if began > asked else time.perf_counter()
        return received


def last_readable(sock: gevent.socket.socket | None) -> float:
    """Return when what a request read last was there to be read; now, where it read nothing or is encrypted."""
    readable = sock.readable if isinstance(sock, StampedSocket) else None
    return time.perf_counter() if readable is None else readable


_running: dict[gevent.Greenlet, Stopwatch] = {}
"""A greenlet carries out one request at a time; several of one user may share its connections."""


class timed:  # noqa: N801 - reads as a word of the `with` statement, and is called for each request
    """Time the request that the block makes with a stopwatch."""

    __slots__ = ("_greenlet", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._greenlet = gevent.getcurrent()
        _running[self._greenlet] = self._watch

    def __exit__(self, *_: object) -> None:
        del _running[self._greenlet]


def running() -> Stopwatch | None:
    """Return the stopwatch of the request that this greenlet is making."""
    return _running.get(gevent.getcurrent())


def stamp_connections(client: HTTPClient) -> None:
    """Have the client's connections stamp the stopwatch of the request that uses them."""
    pool = client._connection_pool  # noqa: SLF001 - no public way to a client's pool
    take, give_back, drop = pool.get_socket, pool.return_socket, pool.release_socket

    def get_socket() -> gevent.socket.socket:
        watch = running()
        if watch is not None and watch.began is None:
            watch.began = time.perf_counter()
        sock = take()
        if isinstance(sock, StampedSocket):
            sock.readable = None
        return sock

    def return_socket(sock: gevent.socket.socket) -> None:
        _end(last_readable(sock))
        give_back(sock)

    def release_socket(sock: gevent.socket.socket) -> None:
        _end(last_readable(sock))
        drop(sock)

    pool._create_tcp_socket = StampedSocket  # type: ignore[method-assign]  # noqa: SLF001 - as above
    pool.get_socket = get_socket  # type: ignore[method-assign]
    pool.return_socket = return_socket  # type: ignore[method-assign]
    pool.release_socket = release_socket  # type: ignore[method-assign]


def _end(at: float) -> None:
    watch = running()
    if watch is not None:
        watch.ended = at
