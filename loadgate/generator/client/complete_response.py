"""Responses that arrive complete in one read: status and body are split off, and headers are parsed on demand.

Fast path: benchmarks/generator_throughput.py, 0.83 -> 1.41, together with `TimedClient.exchange`. The parser of
geventhttpclient calls Python twice for each header field. It still parses all other responses. It parses the headers
of a complete response when a user class reads them.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast

from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPSocketPoolResponse
from locust.contrib.fasthttp import FastRequest, FastResponse, LocustUserAgent

MAX_LENGTH_DIGITS = 9

_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
_STATUSES = {b"%d " % status: status for status in (200, 201, 202, 203, 206, 207, 208, 226)}
"""Statuses of successful responses with a body and without a redirect."""


# Kinds of header fields. They are plain numbers because Enum members are slow before Python 3.12.
_HARMLESS, _LENGTH, _CONNECTION, _NEEDS_PARSER = range(4)

_FIELDS = {
    b"content-length": _LENGTH,
    b"connection": _CONNECTION,
    **dict.fromkeys(
        (b"transfer-encoding", b"proxy-connection", b"upgrade", b"set-cookie", b"set-cookie2", b"content-encoding"),
        _NEEDS_PARSER,
    ),
}


@lru_cache(maxsize=1024)
def _field(name: bytes) -> int:
    if not name or name.translate(None, _TOKEN):
        return _NEEDS_PARSER
    return _FIELDS.get(name.lower(), _HARMLESS)


def split_response(data: bytes) -> tuple[int, bytes] | None:
    """Return the status and the body of a complete response to a request other than HEAD.

    `None` means that the parser must read the response. Only responses in the strict form of RFC 9112 are accepted.
    """
    head, blank_line, body = data.partition(b"\r\n\r\n")
    status = _STATUSES.get(head[9:13])
    if status is None or not blank_line or not head.startswith(b"HTTP/1.1 "):
        return None
    _, *fields = head.split(b"\r\n")
    if head.translate(None, _TEXT) != b"\r\n" * len(fields):
        return None
    length = None
    for line in fields:
        name, colon, value = line.partition(b":")
        field = _field(name)
        if not colon or field == _NEEDS_PARSER:
            return None
        if field == _CONNECTION:
            if value.strip().lower() != b"keep-alive":
                return None
        elif field == _LENGTH:
            value = value.strip(b" \t")
            if length is not None or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                return None
            length = int(value)
    return (status, body) if length == len(body) else None


class PlainRequest(NamedTuple):
    """A request whose headers are only its own and the default headers of its user agent."""

    agent: LocustUserAgent
    method: str
    url: str
    own_headers: Mapping[str, Any]
    payload: str | bytes | None

    @property
    def headers(self) -> Headers:
        """Return all headers except those that the client adds."""
        merged: Headers = self.agent.default_headers.copy()
        merged.update(self.own_headers)
        return merged

    def for_locust(self) -> FastRequest:
        """Return the request in Locust's form."""
        return self.agent.request_type(self.url, self.method, self.headers, self.payload)


class CompleteResponse(NamedTuple):
    """The bytes of a response that arrived complete in one read, and its request."""

    status: int
    body: bytes
    data: bytes
    sent_head: str
    request: PlainRequest

    def parsed(self) -> HTTPSocketPoolResponse:
        """Return the parsed response with its body already read."""
        nothing = cast("Any", _NOTHING)
        parsed = HTTPSocketPoolResponse(nothing, nothing, method=self.request.method, pre_buffered=self.data)
        parsed._sent_request = self.sent_head  # noqa: SLF001 - as in HTTPClient.request
        parsed.read()
        return parsed


class _Nothing:
    """A placeholder for the connection and the pool of a response that no longer needs them."""

    def return_socket(self, _: Any) -> None:
        """Do nothing, because there is no connection."""

    release_socket = return_socket

    def close(self) -> None:
        """Do nothing, because there is no connection to close."""


_NOTHING = _Nothing()


class LazyParts:
    """Attributes of a Locust response that are created on first use if the response arrived complete in one read."""

    _whole: CompleteResponse | None = None

    @cached_property
    def _response(self) -> HTTPSocketPoolResponse | None:
        return None if self._whole is None else self._whole.parsed()

    @cached_property
    def headers(self) -> Headers | None:
        """Return the headers of the response."""
        return None if self._response is None else self._response.info()

    @cached_property
    def request(self) -> FastRequest | None:
        """Return the request of the response."""
        return None if self._whole is None else self._whole.request.for_locust()

    @property
    def status_code(self) -> int:
        """Return the status of the response. 0 if there is no response."""
        if self._whole is not None:
            return self._whole.status
        return 0 if self._response is None else self._response.get_code()


class LazyResponse(LazyParts, FastResponse):  # type: ignore[override,misc]  # properties replace attributes of Locust's class
    """Locust's response for a `CompleteResponse`."""

    def __init__(self, answer: CompleteResponse) -> None:
        self._whole = answer
        self._cached_content = answer.body
