"""When a request really begins and ends: stamped where it takes its connection and where it gives it back.

Locust's own stamps lie around the client's preparation of the request and its care for cookies and status afterwards,
0.1 to 0.3 ms of the generator's own work that would count as the target's. Answers that come together, as after a
stall, are read one after the other; each ends when the kernel had all of it, not when its turn came to be read.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping

import gevent
import gevent.socket
from geventhttpclient.client import HTTPClient
from geventhttpclient.response import HTTPResponse, HTTPSocketResponse

from loadgate.generator.client.stamped_socket import StampedSocket, last_arrival


class Stopwatch:
    """The times of one request in seconds of `time.perf_counter`, redirects included; `None` where it never got there.

    `began` is before the connection is taken, or made where there is none; `ended` is when the whole answer was there.
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


def stamp_connections(client: HTTPClient) -> None:
    """Have the client's connections stamp the stopwatch of the request that uses them."""
    keep_through_interim_answers()
    pool = client._connection_pool  # noqa: SLF001 - no public way to a client's pool
    take, give_back, drop = pool.get_socket, pool.return_socket, pool.release_socket
    look = pool._is_socket_alive  # noqa: SLF001 - as above

    def get_socket() -> gevent.socket.socket:
        watch = running()
        if watch is not None and watch.began is None:
            watch.began = time.perf_counter()
        sock = take()
        if isinstance(sock, StampedSocket):
            sock.take()
        return sock

    def return_socket(sock: gevent.socket.socket) -> None:
        _end(last_arrival(sock))
        give_back(sock)

    def release_socket(sock: gevent.socket.socket) -> None:
        _end(last_arrival(sock))
        drop(sock)

    def is_alive(sock: gevent.socket.socket) -> bool:
        return sock.is_reusable() if isinstance(sock, StampedSocket) else look(sock)

    pool._create_tcp_socket = StampedSocket  # type: ignore[method-assign]  # noqa: SLF001 - as above
    pool._is_socket_alive = is_alive  # type: ignore[method-assign]  # noqa: SLF001 - as above; at a sixth of the cost
    pool.get_socket = get_socket  # type: ignore[method-assign]
    pool.return_socket = return_socket  # type: ignore[method-assign]
    pool.release_socket = release_socket  # type: ignore[method-assign]


@functools.cache
def keep_through_interim_answers() -> None:
    """Have a request keep its connection while only an interim answer (1xx), such as 103 Early Hints, has come.

    geventhttpclient 2.6 gives it back at the end of any message: an interim one would end the request's time, and what
    comes later of the answer's body would not be read.
    """

    def on_message_complete(response: HTTPSocketResponse) -> None:
        HTTPResponse._on_message_complete(response)  # noqa: SLF001 - the parser's hook, which has no public name
        if response.get_code() >= 200:
            response.release()

    HTTPSocketResponse._on_message_complete = on_message_complete  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _end(at: float) -> None:
    watch = running()
    if watch is not None:
        watch.ended = at
