"""Close connections whose clients do not read their responses. Servers do not limit this time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class UnreadAnswers:
    """The connections with unread response data: the number of bytes, and since when (loop clock).

    Attributes:
        read_within_s: Time after which a connection without reads is closed.
    """

    read_within_s: float = 60.0
    held: dict[asyncio.Transport, tuple[int, float]] = field(default_factory=dict)

    def note(self, transport: asyncio.Transport) -> None:
        """Track a connection to which a response was written."""
        self.held.setdefault(transport, (0, 0.0))

    def forget(self, transport: asyncio.Transport) -> None:
        """Remove a connection that has ended."""
        self.held.pop(transport, None)

    def sweep(self, now_s: float) -> None:
        """Close the connections whose clients read nothing."""
        for transport, (size, since_s) in list(self.held.items()):
            left = transport.get_write_buffer_size()
            if not left:
                del self.held[transport]
            elif left != size:
                self.held[transport] = (left, now_s)
            elif now_s - since_s >= self.read_within_s:
                del self.held[transport]
                transport.abort()
