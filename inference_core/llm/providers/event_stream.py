"""Split the bytes of an event stream into events, for pieces of any size.

The reader of httpx2 is not suitable: it hides comments, which show that a server is alive, and it refuses a stream with
a wrong or missing `Content-Type`, which every other client accepts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_EVENT_BYTES = 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
END_OF_LINE = re.compile(rb"\r\n|\r|\n")


class EventTooLargeError(Exception):
    """Raised if an event is longer than `MAX_EVENT_BYTES`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name, empty if it has none, and its data, the lines joined by a newline."""

    name: str
    data: str


@dataclass(slots=True)
class EventReader:
    """A parser that returns complete events. Comments and unknown fields are skipped."""

    _parts: list[bytes] = field(default_factory=list)  # a line that is not complete
    _lines: list[bytes] = field(default_factory=list)  # the data lines of an event that is not complete
    _name: str = ""
    _size: int = 0
    _pending: int = 0
    _at_start: bool = True
    _after_return: bool = False

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes.

        Raises:
            EventTooLargeError: An event is too long.
        """
        if self._after_return:
            # The second half of a line end whose first half was in the previous piece.
            data = data.removeprefix(b"\n")
            self._after_return = not data
        if not data:
            return []
        self._after_return = data.endswith(b"\r")
        *complete, rest = END_OF_LINE.split(data)
        events = []
        for line in complete:
            if self._parts:
                self._parts.append(line)
                line = b"".join(self._parts)  # noqa: PLW2901  # the same line, with its beginning
                self._parts.clear()
                self._pending = 0
            if (event := self._line(line)) is not None:
                events.append(event)
        if rest:
            self._parts.append(rest)
            self._pending += len(rest)
            self._check_size()
        return events

    def end(self) -> list[Event]:
        """Return the last event if the stream ends without a blank line after it."""
        events = [self._line(b"".join(self._parts)), self._line(b"")]
        self._parts.clear()
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> Event | None:
        if self._at_start:
            line, self._at_start = line.removeprefix(BYTE_ORDER_MARK), False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._lines.append(value.removeprefix(b" "))
            self._size += len(line)
            self._check_size()
        elif name == b"event":
            self._name = value.decode(errors="replace").strip()
        return None

    def _dispatch(self) -> Event | None:
        data = b"\n".join(self._lines).decode(errors="replace")
        event = Event(self._name, data) if self._lines else None
        self._lines.clear()
        self._name, self._size = "", 0
        return event

    def _check_size(self) -> None:
        if self._size + self._pending > MAX_EVENT_BYTES:
            raise EventTooLargeError
