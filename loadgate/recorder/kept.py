"""The requests that are kept one by one, so that they can be found again in the target's own logs."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SLOWEST = 10
"""How many of a run's slowest requests are kept."""


class RequestIds(NamedTuple):
    """By what the target's logs name a request; "" where it was not sent or not answered with one."""

    trace_id: str
    request_id: str


NO_IDS = RequestIds("", "")


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """One request. `start_s` is in epoch seconds; `latency_ms` counts from there."""

    group: str
    name: str
    start_s: float
    latency_ms: float
    trace_id: str
    request_id: str

    @property
    def end_s(self) -> float:
        """When it ended, in epoch seconds."""
        return self.start_s + self.latency_ms / 1000

    def renamed(self, names: Mapping[str, str]) -> KeptRequest:
        """The same under another name, where `names` has one for it."""
        return replace(self, name=names[self.name]) if self.name in names else self

    def to_row(self) -> list[Any]:
        """A short form for JSON and msgpack."""
        return [self.group, self.name, self.start_s, self.latency_ms, self.trace_id, self.request_id]


class SlowestRequests:
    """The slowest of all requests that were offered, in whatever order and from however many processes."""

    __slots__ = ("_kept", "floor_ms")

    def __init__(self) -> None:
        self._kept: list[KeptRequest] = []
        self.floor_ms = 0.0
        """A request that took less time is not among the slowest."""

    def offer(self, request: KeptRequest) -> None:
        """Keep a request if it is among the slowest; of equally slow ones, those that began first."""
        insort(self._kept, request, key=_slowest_first)
        if len(self._kept) >= SLOWEST:
            del self._kept[SLOWEST:]
            self.floor_ms = self._kept[-1].latency_ms

    def requests(self) -> list[KeptRequest]:
        """The slowest first."""
        return list(self._kept)

    def merge_rows(self, rows: Iterable[list[Any]]) -> None:
        """Offer what `to_rows` of another one described."""
        for row in rows:
            self.offer(KeptRequest(*row))

    def to_rows(self) -> list[list[Any]]:
        """Rows of `KeptRequest.to_row`."""
        return [request.to_row() for request in self._kept]


def _slowest_first(request: KeptRequest) -> tuple[float, float, str]:
    return -request.latency_ms, request.start_s, request.trace_id
