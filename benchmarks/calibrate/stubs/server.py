"""The HTTP/1.1 server that all stubs share: a few paths, keep-alive connections, one event loop, no dependencies."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

_HEAD_END = b"\r\n\r\n"
_LONGEST_HEAD = 65_536
_EPOCH_S = time.time() - time.monotonic()
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


class Request:
    """One request, which its route answers once, now or later."""

    def __init__(self, connection: Connection, query: Mapping[str, str]) -> None:
        self._connection = connection
        self.query = query

    def answer(self, body: str = "ok\n", status: int = 200) -> None:
        self._connection.answer(body, status)

    def answer_after(self, seconds: float, body: str = "ok\n", status: int = 200) -> None:
        asyncio.get_running_loop().call_later(seconds, self.answer, body, status)

    def seconds(self, name: str, default: float | None = None) -> float:
        """Return a number of at least 0 from the query.

        Raises:
            BadQueryError: if it is missing and has no default, or is no such number.
        """
        text = self.query.get(name)
        if text is None and default is not None:
            return default
        try:
            return number_from_0(text or "")
        except argparse.ArgumentTypeError as error:
            raise BadQueryError(f"?{name}=: {error}") from None


class BadQueryError(Exception):
    """The text says what is wrong with a query; the client receives it with status 400."""


Routes = Mapping[str, Callable[[Request], None]]


class Connection(asyncio.Protocol):
    """A connection with keep-alive. Requests that arrive early wait until the one before is answered."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._received = b""
        self._busy = False
        self._close = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def answer(self, body: str, status: int) -> None:
        self._busy = False
        if self._transport.is_closing():
            return
        content = body.encode()
        headers = [
            f"HTTP/1.1 {status} {_REASONS[status]}",
            "Content-Type: text/plain",
            f"Content-Length: {len(content)}",
        ]
        headers += ["Connection: close"] * self._close
        self._transport.write("\r\n".join(headers).encode() + _HEAD_END + content)
        if self._close:
            self._transport.close()
        else:
            self._next()

    def _next(self) -> None:
        if self._busy or self._transport.is_closing():
            return
        head, end, rest = self._received.partition(_HEAD_END)
        if not end:
            if len(self._received) > _LONGEST_HEAD:
                self._transport.close()
            return
        self._received, self._busy = rest, True
        self._dispatch(head)

    def _dispatch(self, head: bytes) -> None:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        self._close = b"\r\nconnection: close" in head.lower()
        if len(words) != 3 or words[0] != b"GET":
            # What follows can be a body, which would be read as the next request.
            self._close = True
            self.answer("a stub answers GET requests only\n", 400)
            return
        path, _, query = words[1].decode(errors="replace").partition("?")
        request = Request(self, dict(parse_qsl(query)))
        route = self._routes.get(path)
        if route is None:
            request.answer(f"no {path} here, but {', '.join(self._routes)}\n", 404)
            return
        try:
            route(request)
        except BadQueryError as error:
            request.answer(f"{error}\n", 400)


def run(routes: Routes, tick: Callable[[], None] | None = None, tick_s: float = 0.5) -> None:
    """Serve on a free loopback port and print the URL. Call `tick` every `tick_s` seconds.

    Return after SIGTERM or SIGINT, or when the process that started this one has ended.
    """
    asyncio.run(_serve(routes, tick, tick_s))


async def _serve(routes: Routes, tick: Callable[[], None] | None, tick_s: float) -> None:
    parent = os.getppid()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: Connection(routes), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    while os.getppid() == parent and not stopped.is_set():
        if tick is not None:
            tick()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), tick_s)
    server.close()


def epoch_s() -> float:
    """Return the epoch second, on a clock that runs on evenly when somebody sets the system's."""
    return _EPOCH_S + time.monotonic()


def number_from_0(text: str) -> float:
    """Return a finite number of at least 0; a type for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return number


def number_above_0(text: str) -> float:
    """Return a finite number above 0; a type for argparse."""
    if (number := number_from_0(text)) == 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def share(text: str) -> float:
    """Return a number from 0 to 1; a type for argparse."""
    if (number := number_from_0(text)) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number


def whole_number(text: str) -> int:
    """Return a whole number above 0; a type for argparse."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def number_or_0(text: str) -> int:
    """Return a whole number from 0 on; a type for argparse."""
    return 0 if text == "0" else whole_number(text)


def gauges(values: Mapping[str, float]) -> str:
    """Return a page of Prometheus text with a gauge for each value."""
    return "".join(f"# TYPE {name} gauge\n{name} {value:.17g}\n" for name, value in values.items())


def summary(name: str, total_s: float, count: int) -> str:
    """Return a summary without quantiles, in Prometheus text."""
    return f"# TYPE {name} summary\n{name}_sum {total_s:.9f}\n{name}_count {count}\n"
