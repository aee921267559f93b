"""The HTTP client of a BaseUser. It measures each request with a stopwatch and adds a trace to it."""

from __future__ import annotations

import errno
import functools
import time
from typing import Any, cast

import gevent.socket
from geventhttpclient.client import IDEMPOTENT_METHODS, HTTPClient
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import (
    HTTPConnectionClosed,
    HTTPParseError,
    HTTPResponse,
    HTTPSocketPoolResponse,
    HTTPSocketResponse,
)

from loadgate.generator.client.complete_response import CompleteResponse, PlainRequest, split_response
from loadgate.generator.client.stopwatch import Stopwatch, running
from loadgate.generator.client.timestamped_socket import TimestampedSocket, last_arrival
from loadgate.generator.client.tracing import new_traceparent, own_traceparent, with_traceparent
from loadgate.generator.locust_patches import become, replace

MAX_HEADS = 16
"""Maximum number of cached request heads for each user and host."""

BLOCK_BYTES = 16 * 1024
"""The size of the first read. If the response is longer or arrives in parts, geventhttpclient reads the rest."""


class IdleConnections(list[gevent.socket.socket]):
    """The idle connections of a pool. The pool waits with its semaphore, so it does not need gevent's queue."""

    put = list.append

    def empty(self) -> bool:
        """Return whether there is no idle connection."""
        return not self

    def get(self, block: bool = False) -> gevent.socket.socket:  # noqa: ARG002 - the signature of a queue
        """Remove and return the connection that was returned last. There must be one."""
        return self.pop()


class TimedPool(ConnectionPool):
    """A pool that measures each request from the taking to the return of its connection."""

    def get_socket(self) -> gevent.socket.socket:
        """Take a connection (see `ConnectionPool.get_socket`)."""
        watch = running()
        if watch is not None and watch.began is None:
            watch.began = time.perf_counter()
        sock = super().get_socket()
        if isinstance(sock, TimestampedSocket):
            sock.take()
        return sock

    def return_socket(self, sock: gevent.socket.socket) -> None:
        """Return a reusable connection to the pool."""
        _end(last_arrival(sock))
        super().return_socket(sock)

    def release_socket(self, sock: gevent.socket.socket) -> None:
        """Close a connection."""
        _end(last_arrival(sock))
        super().release_socket(sock)

    def _create_tcp_socket(self, family: int, socktype: int, protocol: int) -> gevent.socket.socket:
        return TimestampedSocket(family, socktype, protocol)

    def _is_socket_alive(self, sock: gevent.socket.socket | None) -> bool:
        # Fast path (benchmarks/generator_throughput.py): one registered poller instead of gevent's select().
        return sock.is_reusable() if isinstance(sock, TimestampedSocket) else super()._is_socket_alive(sock)


class TimedTlsPool(TimedPool, SSLConnectionPool):
    """A `TimedPool` with TLS."""


class TimedClient(HTTPClient):
    """A client that adds a trace to each request, unless the user class has set one.

    The heads of requests are cached without the trace, because a user sends the same requests repeatedly.
    """

    _heads: dict[tuple[Any, ...], tuple[str, str | None]]

    @classmethod
    def take_over(cls, client: HTTPClient) -> None:
        """Convert a client and its pool to the timed classes. The client must not have connections yet."""
        keep_through_interim_answers()
        become(client, cls)
        pool = client._connection_pool  # noqa: SLF001 - an attribute of the base class
        become(pool, TimedTlsPool if client.ssl else TimedPool)
        pool._socket_queue = IdleConnections()  # noqa: SLF001 - as above
        client._heads = {}  # type: ignore[attr-defined]  # noqa: SLF001 - as above

    def exchange(
        self, request: PlainRequest, request_uri: str, watch: Stopwatch
    ) -> CompleteResponse | HTTPSocketPoolResponse:
        """Send a request and read the first part of its response, which is usually the complete response.

        Raises the exceptions of `HTTPClient.request`. Like that method, it repeats an idempotent request if the
        connection breaks before the response arrives.
        """
        method, payload = request.method, request.payload
        body = payload.encode() if isinstance(payload, str) else payload or b""
        known = self._known_head(request, request_uri, body)
        if known is None:
            return self.request(method, request_uri, body, request.headers)
        head = _with_trace(*known, watch)
        for attempts_left in range(self._connection_pool.size + 1, -1, -1):
            sock = self._connection_pool.get_socket()
            data = self._first_of_answer(sock, head.encode("latin-1") + body)
            if data and method != "HEAD" and (answer := split_response(data)) is not None:
                self._connection_pool.return_socket(sock)
                return CompleteResponse(*answer, data, head, request)
            try:
                parsed = HTTPSocketPoolResponse(
                    sock,
                    self._connection_pool,
                    block_size=self.block_size,
                    method=method,
                    headers_type=self.headers_type,
                    pre_buffered=data or b"",
                )
                break
            except (OSError, HTTPParseError) as error:
                is_broken = data is None or isinstance(error, HTTPConnectionClosed)
                if not (is_broken and attempts_left and method in IDEMPOTENT_METHODS):
                    raise
        parsed._sent_request = head  # noqa: SLF001 - as in `HTTPClient.request`
        return parsed

    def _first_of_answer(self, sock: gevent.socket.socket, request: bytes) -> bytes | None:
        """Send a request and read once.

        Return b"" if the connection broke before the response, and `None` if it broke while the request was sent. In
        both cases there can still be data to read.
        """
        is_sent = False
        try:
            sock.sendall(request)
            is_sent = True
            return cast("bytes", sock.recv(BLOCK_BYTES))
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in {errno.ECONNRESET, errno.EPIPE}:
                return b"" if is_sent else None
            self._connection_pool.release_socket(sock)
            raise

    def _build_request(
        self, method: str, request_uri: str, body: Any = b"", headers: Any = None, chunked: bool | None = None
    ) -> str:
        head = super()._build_request(method, request_uri, body=body, headers=headers, chunked=chunked)
        watch = running()
        return head if watch is None else _with_trace(head, own_traceparent(head), watch)

    def _known_head(self, request: PlainRequest, request_uri: str, body: bytes) -> tuple[str, str | None] | None:
        """Return the cached head of a request, and the traceparent that the user class has set, if any.

        The head contains no generated trace. `None` if `HTTPClient.request` must send the request, because it uses
        `Transfer-Encoding` or `Expect`, or a field of several lines.
        """
        # Fast path (benchmarks/generator_throughput.py): the stored items, without the processing of `Headers.items`.
        common = (*dict.items(request.agent.default_headers), *dict.items(self.default_headers))
        key = (request.method, request_uri, len(body), common, *request.own_headers.items())
        try:
            if (head := self._heads.get(key)) is not None:
                return head
        except TypeError:  # a field of several lines is stored as a list
            return None
        headers = request.headers
        if any(field in each for field in ("transfer-encoding", "expect") for each in (headers, self.default_headers)):
            return None
        built = super()._build_request(request.method, request_uri, body=body, headers=headers)
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        self._heads[key] = built, own_traceparent(built)
        return self._heads[key]


@functools.cache
def keep_through_interim_answers() -> None:
    """Keep a request's connection while only an interim response (1xx) has arrived, such as 103 Early Hints.

    geventhttpclient 2.6 returns the connection to the pool at the end of any message. An interim response would then
    end the request's time, and the rest of the response would not be read.
    """

    def on_message_complete(response: HTTPSocketResponse) -> None:
        HTTPResponse._on_message_complete(response)  # noqa: SLF001 - the parser has no public hook
        if response.get_code() >= 200:
            response.release()

    replace(HTTPSocketResponse, _on_message_complete=on_message_complete)


def _end(at: float) -> None:
    watch = running()
    if watch is not None:
        watch.ended = at


def _with_trace(head: str, own: str | None, watch: Stopwatch) -> str:
    """Return a request's head with its trace. `own` is the traceparent that the user class has set."""
    if own:
        watch.traceparent = own
        return head
    # A redirected or repeated request keeps its trace.
    watch.traceparent = watch.traceparent or new_traceparent()
    return with_traceparent(head, watch.traceparent)
