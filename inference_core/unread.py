"""Answers that nobody reads, which would keep their connections open for ever: no server limits how long it waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

# A client that takes nothing of its answers for this long is not waited for.
READ_WITHIN_S = 60.0


@dataclass(slots=True)
class UnreadAnswers:
    """The connections that may hold what their clients have not taken: how many bytes, and since when (loop's clock).

    Attributes:
        read_within_s: a connection from which nothing was taken for this long is closed.
    """

    read_within_s: float = READ_WITHIN_S
    held: dict[asyncio.Transport, tuple[int, float]] = field(default_factory=dict)

    def note(self, transport: asyncio.Transport) -> None:
        """Look after a connection to which an answer was written."""
        self.held.setdefault(transport, (0, 0.0))

    def forget(self, transport: asyncio.Transport) -> None:
        """A connection has ended."""
        self.held.pop(transport, None)

    def sweep(self, now_s: float) -> None:
        """Close the connections whose clients take nothing."""
        for transport, (size, since_s) in list(self.held.items()):
            left = transport.get_write_buffer_size()
            if not left:
                del self.held[transport]
            elif left != size:
                self.held[transport] = (left, now_s)
            elif now_s - since_s >= self.read_within_s:
                del self.held[transport]
                transport.abort()
