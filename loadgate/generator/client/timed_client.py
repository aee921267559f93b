"""The HTTP client of a BaseUser: its connections stamp their request's stopwatch, its requests carry a trace."""

from __future__ import annotations

import functools
import time
from typing import Any

import gevent.socket
from geventhttpclient.client import HTTPClient
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPResponse, HTTPSocketResponse

from loadgate.generator.client.stamped_socket import StampedSocket, last_arrival
from loadgate.generator.client.stopwatch import running
from loadgate.generator.client.tracing import new_traceparent, own_traceparent, with_traceparent
from loadgate.generator.locust_patches import become, replace

MAX_HEADS = 16
"""Request heads that are remembered for each user and host."""


class TimedPool(ConnectionPool):
    """Connections of which a request's time begins when it takes one, and ends when it gives it back."""

    def get_socket(self) -> gevent.socket.socket:
        """Take a connection; see `ConnectionPool.get_socket`."""
        watch = running()
        if watch is not None and watch.began is None:
            watch.began = time.perf_counter()
        sock = super().get_socket()
        if isinstance(sock, StampedSocket):
            sock.take()
        return sock

    def return_socket(self, sock: gevent.socket.socket) -> None:
        """Give a connection back that can be used again."""
        _end(last_arrival(sock))
        super().return_socket(sock)

    def release_socket(self, sock: gevent.socket.socket) -> None:
        """Give a connection up."""
        _end(last_arrival(sock))
        super().release_socket(sock)

    def _create_tcp_socket(self, family: int, socktype: int, protocol: int) -> gevent.socket.socket:
        return StampedSocket(family, socktype, protocol)

    def _is_socket_alive(self, sock: gevent.socket.socket | None) -> bool:
        # At a sixth of the base class's cost.
        return sock.is_reusable() if isinstance(sock, StampedSocket) else super()._is_socket_alive(sock)


class TimedTlsPool(TimedPool, SSLConnectionPool):
    """The same with TLS."""


class TimedClient(HTTPClient):
    """A client that puts the trace of the running request into its head, unless its user has set one.

    The last few heads that were built are kept, without it: a user sends the same again and again.
    """

    _heads: dict[tuple[Any, ...], tuple[str, str | None]]

    @classmethod
    def take_over(cls, client: HTTPClient) -> None:
        """Turn a client, which has made no connection yet, and its pool into these."""
        keep_through_interim_answers()
        become(client, cls)
        become(client._connection_pool, TimedTlsPool if client.ssl else TimedPool)  # noqa: SLF001 - the subclass's own
        client._heads = {}  # type: ignore[attr-defined]  # noqa: SLF001 - as above

    def _build_request(
        self, method: str, request_uri: str, body: Any = b"", headers: Any = None, chunked: bool | None = None
    ) -> str:
        if body or chunked or not isinstance(headers, Headers):
            head, own = self._built(method, request_uri, body, headers, chunked)
        else:
            head, own = self._remembered(method, request_uri, headers, chunked)
        watch = running()
        if watch is None:
            return head
        if own:
            watch.traceparent = own
            return head
        # One that is redirected stays in its trace.
        watch.traceparent = watch.traceparent or new_traceparent()
        return with_traceparent(head, watch.traceparent)

    def _remembered(
        self, method: str, request_uri: str, headers: Headers, chunked: bool | None
    ) -> tuple[str, str | None]:
        # The items as they are stored, past what Headers makes of them.
        defaults = self.default_headers
        key = (method, request_uri, chunked, dict.__len__(defaults), *dict.items(defaults), *dict.items(headers))
        try:
            head = self._heads.get(key)
        except TypeError:  # a field of several lines is stored as a list
            return self._built(method, request_uri, b"", headers, chunked)
        if head is None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            head = self._heads[key] = self._built(method, request_uri, b"", headers, chunked)
        return head

    def _built(
        self, method: str, request_uri: str, body: Any, headers: Any, chunked: bool | None
    ) -> tuple[str, str | None]:
        head = super()._build_request(method, request_uri, body=body, headers=headers, chunked=chunked)
        return head, own_traceparent(head)


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

    replace(HTTPSocketResponse, _on_message_complete=on_message_complete)


def _end(at: float) -> None:
    watch = running()
    if watch is not None:
        watch.ended = at
