"""Limit the concurrent requests of each client behind a trusted proxy, whose connections show only the proxy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from inference_core.core.addresses import limited_address
from inference_core.core.exceptions import ThrottledError


class TooManyRequestsError(ThrottledError):
    """Raised if a client already has as many requests in progress as it can have connections."""

    code = "too_many_connections"

    def __init__(self) -> None:
        super().__init__(1, "Too many requests of this address are in progress. Try again shortly.")


@dataclass(slots=True)
class ProxiedClients:
    """The requests in progress of each address. 0 as `most` means no limit."""

    most: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def enter(self, address: str) -> str:
        """Count a request, and return the name under which it counts. It is empty without a limit.

        Raises:
            TooManyRequestsError: The client has `most` requests in progress.
        """
        if not self.most:
            return ""
        name = limited_address(address)
        if self.requests[name] >= self.most:
            raise TooManyRequestsError
        self.requests[name] += 1
        return name

    def leave(self, name: str) -> None:
        """Count the end of a request."""
        self.requests[name] -= 1
        if not self.requests[name]:
            del self.requests[name]
