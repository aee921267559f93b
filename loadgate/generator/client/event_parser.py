"""Parse server-sent events from the bytes of a stream, following the HTML standard. Pure functions."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event of a stream; see https://html.spec.whatwg.org/multipage/server-sent-events.html.

    `kind` is the `event` field. `at_ms` is the time from the sending of the request to the last byte of the event.
    """

    kind: str
    data: str
    at_ms: float

    def json(self) -> Any:
        """Return the data as JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.data)


class EventParser:
    """A parser of a stream that arrives in pieces of any size. Comments are skipped."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_return = False
        self._is_first_line = True
        self._kind = ""
        self._data: list[str] = []

    def feed(self, piece: bytes, at_ms: float) -> list[ServerEvent]:
        """Return the events that `piece` completes. `at_ms` is its arrival time."""
        if self._after_return:
            piece = piece.removeprefix(b"\n")
        self._after_return = piece.endswith(b"\r")
        *lines, self._rest = (self._rest + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        events = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(ServerEvent(self._kind or "message", "\n".join(self._data), at_ms))
                self._kind, self._data = "", []
            else:
                self._kind = ""
        return events

    def _take(self, line: bytes) -> None:
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(_BYTE_ORDER_MARK), False
        field, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._kind = value
