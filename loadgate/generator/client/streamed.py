"""The bodies of streamed answers: a request lasts until its user has read the last of its answer.

Locust takes the time of a request with `stream=True` when the head of its answer is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from loadgate.generator.client.stamped_socket import last_arrival
from loadgate.generator.locust_patches import replace_of
from loadgate.generator.request_events import FIRST_BYTE

_BODY = "loadgate_body"
"""Attribute of a response whose body is followed."""


class Body:
    """When the last of a body was read, in seconds of `time.perf_counter`; `None` while nothing was."""

    __slots__ = ("_began", "_raw", "read_s")

    def __init__(self, raw: Any, began: float) -> None:
        self._raw = raw
        self._began = began
        self.read_s: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to read."""
        raise NotImplementedError

    def settle(self, meta: dict[str, Any]) -> None:
        """Give the request its time until the last that was read; where nothing was, mark it."""
        if self.read_s is not None:
            meta["response_time"] = (self.read_s - self._began) * 1000
        elif not self.is_over:
            meta["context"][FIRST_BYTE] = True


class RequestsBody(Body):
    """The body of an answer to an HttpUser, which reads it by `urllib3`."""

    __slots__ = ()

    def __init__(self, raw: Any, began: float) -> None:
        super().__init__(raw, began)
        read, stream = raw.read, raw.stream

        def stamped_read(*arguments: Any, **options: Any) -> Any:
            data = read(*arguments, **options)
            self.read_s = time.perf_counter()
            return data

        def stamped_stream(*arguments: Any, **options: Any) -> Iterator[Any]:
            for piece in stream(*arguments, **options):
                self.read_s = time.perf_counter()
                yield piece
            self.read_s = time.perf_counter()

        replace_of(raw, read=stamped_read, stream=stamped_stream)

    @property
    def is_over(self) -> bool:
        """See `Body`."""
        return self._raw.length_remaining == 0 or bool(self._raw.closed)


class SocketBody(Body):
    """The body of an answer to a FastHttpUser, which reads it from the connection."""

    __slots__ = ()

    def __init__(self, raw: Any, began: float) -> None:
        super().__init__(raw, began)
        feed = raw.feed

        def stamped_feed(data: Any) -> None:
            # Before it is parsed: at its end an answer lets go of its connection.
            self.read_s = last_arrival(raw._sock)  # noqa: SLF001 - no public way to an answer's connection
            feed(data)

        replace_of(raw, feed=stamped_feed)

    @property
    def is_over(self) -> bool:
        """See `Body`."""
        return bool(self._raw.message_complete)


def follow_body(response: Any, began: float) -> None:
    """Follow the body of a streamed answer, if it has one; `began` is when its request was sent."""
    if (raw := getattr(response, "raw", None)) is not None and hasattr(raw, "length_remaining"):
        setattr(response, _BODY, RequestsBody(raw, began))
    elif (raw := getattr(response, "_response", None)) is not None:
        setattr(response, _BODY, SocketBody(raw, began))


def settle_body(response: Any) -> None:
    """Give a request that is about to be recorded its time, if its answer was streamed."""
    body: Body | None = vars(response).pop(_BODY, None)
    if body is not None:
        body.settle(response.request_meta)


def leave_body(response: Any) -> None:
    """Follow a body no more: its reader takes the time itself."""
    vars(response).pop(_BODY, None)


def has_open_body(response: Any) -> bool:
    """Whether an answer is being streamed that has not come to its end."""
    body: Body | None = vars(response).get(_BODY)
    return body is not None and not body.is_over
