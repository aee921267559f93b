"""Read streams of server-sent events with the arrival time of each event. A stream is recorded as one request."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import gevent
from geventhttpclient.response import HTTPConnectionClosed, HTTPSocketPoolResponse
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS

from loadgate.generator.client.event_parser import EventParser, ServerEvent
from loadgate.generator.client.streamed import stop_tracking
from loadgate.generator.client.timestamped_socket import last_arrival
from loadgate.generator.request_events import UnansweredRequestError, error_text
from loadgate.generator.users import GateResponse, GateSession

BLOCK_BYTES = 16 * 1024
HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}


class EventStream:
    """A response that is read event by event: `for event in stream`.

    The iteration ends at the end of the response. If the response breaks off or is not an event stream, the request
    fails and `error` contains the reason. Call `success()` or `failure(why)` to decide the outcome of the request. If
    neither is called, the status of the response decides.
    """

    def __init__(self, response: GateResponse) -> None:
        self.error: str | None = None
        self._response = response
        self._raw = response._response  # noqa: SLF001 - Locust has no public access to a body that is still arriving
        self._arrived = last_arrival(None if self._raw is None else self._raw._sock)  # noqa: SLF001 - as above
        self._is_over = response.status_code != 200
        self._last_ms: float | None = None
        self._received_bytes = 0
        if not self._is_over and not self._is_event_stream():
            self._is_over, self.error = True, "did not return a stream of events"
            response.failure(self.error)

    @property
    def status_code(self) -> int:
        """Return the status of the response. 0 if there is no response."""
        return self._response.status_code

    def success(self) -> None:
        """Mark the request as successful, unless it has an `error`."""
        if self.error is None:
            self._response.success()

    def failure(self, why: str | Exception) -> None:
        """Mark the request as failed. If the request has an `error`, that remains the reason."""
        if self.error is None:
            self._response.failure(why)

    def __iter__(self) -> Iterator[ServerEvent]:
        """Yield the events of a response with status 200 as they arrive."""
        if self._is_over:
            return
        parser = EventParser()
        try:
            while piece := self._read():
                for event in parser.feed(piece, self._ms(self._arrived)):
                    self._last_ms = event.at_ms
                    yield event
            self._is_over = True
        except FAILURE_EXCEPTIONS as error:
            self._break_off(error)

    def close(self) -> None:
        """Set the time and the size of the request. Close the connection if more data could arrive on it."""
        stop_tracking(self._response)
        meta = self._response.request_meta
        if self._last_ms is not None:
            meta["response_time"] = self._last_ms
        if self._received_bytes:
            meta["response_length"] = self._received_bytes
        if self._raw is not None:
            self._raw.release()

    def cut_off(self) -> None:
        """Mark an unfinished stream as unanswered."""
        if not self._is_over:
            self._break_off(UnansweredRequestError("no end of the stream when the run ended"))

    def _break_off(self, error: Exception) -> None:
        self._response.failure(error)
        self.error = error_text(error)
        self._is_over = True
        self._last_ms = self._ms(time.perf_counter())

    def _read(self) -> bytes:
        """Wait for the next bytes of the body and return them. Return b"" at its end."""
        # A response with status 200 always has a body.
        raw = cast("HTTPSocketPoolResponse", self._raw)
        while not raw._body_buffer:  # noqa: SLF001 - the public readers wait for complete lines or blocks
            if raw.message_complete:
                return b""
            connection = cast("gevent.socket.socket", raw._sock)  # noqa: SLF001 - as above
            received = connection.recv(BLOCK_BYTES)
            self._arrived = last_arrival(connection)
            raw.feed(received)
            if not received and not raw.message_complete:
                raise HTTPConnectionClosed("connection closed in the middle of the stream")
        piece = bytes(raw._body_buffer)  # noqa: SLF001 - as above
        raw._body_buffer.clear()  # noqa: SLF001 - as above
        self._received_bytes += len(piece)
        return piece

    def _ms(self, at: float) -> float:
        return (at - self._response.began) * 1000

    def _is_event_stream(self) -> bool:
        headers = self._response.headers
        return headers is not None and str(headers.get("content-type")).startswith("text/event-stream")


@contextmanager
def event_stream(
    client: GateSession,
    url: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[EventStream]:
    """Send a request and read its response as a stream of events. `options` are those of `client.request`.

    The request is recorded once, at the end of the block. Its latency is the time from its start to its last event. If
    the end of the run cuts the stream off, the request is a failure, and its latency is the time until then.
    """
    fields = {**HEADERS, **(headers or {})}
    with client.request(method, url, stream=True, headers=fields, **options) as response:
        if not isinstance(response, GateResponse):
            raise TypeError("event_stream needs the client of a loadgate.users.BaseUser")
        stream = EventStream(response)
        try:
            yield stream
        except gevent.GreenletExit:
            stream.cut_off()
            raise
        finally:
            stream.close()
