"""When a request really begins and ends: stamped where it takes its connection and where it gives it back.

Locust's own stamps lie around the client's preparation of the request and its care for cookies and status afterwards,
0.1 to 0.3 ms of the generator's own work that would count as the target's.
"""

from __future__ import annotations

import time
from functools import cached_property, lru_cache
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

import gevent
from geventhttpclient.client import HTTPClient
from geventhttpclient.url import URL, ParamsDataType
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


class timed:  # noqa: N801 - reads as a word of the `with` statement, and is called for each request
    """Time the request that the block makes; yields its stopwatch."""

    __slots__ = ("_greenlet",)

    def __enter__(self) -> Stopwatch:
        self._greenlet = gevent.getcurrent()
        watch = _running[self._greenlet] = Stopwatch()
        return watch

    def __exit__(self, *_: object) -> None:
        del _running[self._greenlet]


class KnownUrl(URL):
    """A URL whose parts are parsed once; those of a suite come again and again."""

    # mypy does not see that these are properties.
    host = cached_property(URL.host.fget)  # type: ignore[attr-defined]
    port = cached_property(URL.port.fget)  # type: ignore[attr-defined]
    request_uri = cached_property(URL.request_uri.fget)  # type: ignore[attr-defined]
    quoted_uri = cached_property(URL.quoted_uri.fget)  # type: ignore[attr-defined]


known_url = lru_cache(maxsize=1024)(KnownUrl)


class KnownUrlRequest(FastRequest):
    """Locust's request, which does not parse a URL that it knows."""

    def set_url(self, url: str | URL, params: ParamsDataType | None = None) -> None:
        """Set the URL and what the base class keeps of its parts."""
        if isinstance(url, URL) or params is not None:
            super().set_url(url, params)
            return
        self.url, self.url_split = url, known_url(url)
        self.type, self.host = self.url_split.scheme, self.url_split.netloc
        self.selector = self.url_split.request_uri or "/"


class RestingCookieJar(CookieJar):
    """A cookie jar that does nothing where there is no cookie."""

    def add_cookie_header(self, request: Request) -> None:
        """Add the cookies that belong to the request."""
        if self._cookies:  # type: ignore[attr-defined]  # the one place where they are
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Request) -> None:
        """Keep the cookies that the answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


class TimedUserAgent(LocustUserAgent):
    """Locust's user agent on connections that stamp the stopwatch of their request.

    It also leaves out work that shows no result, to make up for the time that keeping the record takes.
    """

    request_type = KnownUrlRequest

    @classmethod
    def take_over(cls, agent: LocustUserAgent) -> None:
        """Turn Locust's user agent into this one."""
        agent.__class__ = cls
        if type(agent.cookiejar) is CookieJar:
            agent.cookiejar.__class__ = RestingCookieJar

    def _urlopen(self, request: FastRequest) -> FastResponse:  # type: ignore[override]  # Locust's is untyped
        client = self.clientpool.get_client(request.url_split)
        if "get_socket" not in client._connection_pool.__dict__:  # noqa: SLF001 - no public way to a client's pool
            _stamp(client)
        # As Locust's, which would look up the client once more.
        url = request.url_split
        answer = client.request(request.method, url.quoted_uri, body=request.payload, headers=request.headers)
        return FastResponse(answer, request=request, sent_request=answer._sent_request)  # noqa: SLF001 - as Locust


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
