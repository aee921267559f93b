"""Measure streamed responses until the user class reads the last part of the body.

Locust stops the time of a request with `stream=True` when the headers of its response have arrived.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent

from loadgate.generator.client.timestamped_socket import last_arrival
from loadgate.generator.locust_patches import replace_of
from loadgate.generator.request_events import FIRST_BYTE

_BODY = "loadgate_body"
"""The attribute of a response that holds its tracked body."""


class Body:
    """A tracked response body. `read_s` is the time of its last read (`time.perf_counter`), `None` before the first."""

    __slots__ = ("_began", "_raw", "read_s")

    def __init__(self, raw: Any, began: float) -> None:
        self._raw = raw
        self._began = began
        self.read_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the body has been read completely."""
        raise NotImplementedError

    def settle(self, meta: dict[str, Any]) -> None:
        """Set the latency to the time until the last read. Mark the request with FIRST_BYTE if nothing was read."""
        if self.read_s is not None:
            meta["response_time"] = (self.read_s - self._began) * 1000
        elif not self.is_over:
            meta["context"][FIRST_BYTE] = True


class RequestsBody(Body):
    """The body of a response to an HttpUser. The user reads it through `urllib3`."""

    __slots__ = ("_is_cut_off",)

    def __init__(self, raw: Any, began: float) -> None:
        super().__init__(raw, began)
        self._is_cut_off = False
        read, stream = raw.read, raw.stream

        def stamped_read(*arguments: Any, **options: Any) -> Any:
            data = read(*arguments, **options)
            self.read_s = time.perf_counter()
            return data

        def stamped_stream(*arguments: Any, **options: Any) -> Iterator[Any]:
            try:
                for piece in stream(*arguments, **options):
                    self.read_s = time.perf_counter()
                    yield piece
            except gevent.GreenletExit:
                self._is_cut_off = True  # urllib3 closes the response although its body is incomplete
                raise
            self.read_s = time.perf_counter()

        replace_of(raw, read=stamped_read, stream=stamped_stream)

    @property
    def is_over(self) -> bool:
        """See `Body`."""
        return not self._is_cut_off and (self._raw.length_remaining == 0 or bool(self._raw.closed))


class SocketBody(Body):
    """The body of a response to a FastHttpUser. The user reads it from the connection."""

    __slots__ = ()

    def __init__(self, raw: Any, began: float) -> None:
        super().__init__(raw, began)
        feed = raw.feed

        def stamped_feed(data: Any) -> None:
            # Read the time before the parser runs: for a complete response, the parser releases the connection.
            self.read_s = last_arrival(raw._sock)  # noqa: SLF001 - a response has no public attribute for its connection
            feed(data)

        replace_of(raw, feed=stamped_feed)

    @property
    def is_over(self) -> bool:
        """See `Body`."""
        return bool(self._raw.message_complete)


def follow_body(response: Any, began: float) -> None:
    """Track the reads of a streamed response's body, if any. `began` is the start of the request."""
    if (raw := getattr(response, "raw", None)) is not None and hasattr(raw, "length_remaining"):
        setattr(response, _BODY, RequestsBody(raw, began))
    elif (raw := getattr(response, "_response", None)) is not None:
        setattr(response, _BODY, SocketBody(raw, began))


def settle_body(response: Any) -> None:
    """Set the latency of a streamed request before it is recorded."""
    body: Body | None = vars(response).pop(_BODY, None)
    if body is not None:
        body.settle(response.request_meta)


def stop_tracking(response: Any) -> None:
    """Stop tracking a body. The caller measures the time itself."""
    vars(response).pop(_BODY, None)


def has_open_body(response: Any) -> bool:
    """Return whether a streamed response has not been read completely."""
    body: Body | None = vars(response).get(_BODY)
    return body is not None and not body.is_over
