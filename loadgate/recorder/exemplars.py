"""Exemplars: single requests with their ids, to find them in the logs of the target."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

SLOWEST = 10
"""Number of slowest requests that become exemplars."""


class RequestIds(NamedTuple):
    """The ids of a request in the target's logs. An id is "" if it was not sent or not returned.

    `detail` is what the response to a failed request says. It is "" if it says nothing.
    """

    trace_id: str
    request_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One exemplar. `start_s` is in epoch seconds, and `latency_ms` is measured from there."""

    group: str
    name: str
    start_s: float
    latency_ms: float
    trace_id: str
    request_id: str
    detail: str = ""

    @property
    def end_s(self) -> float:
        """Return the end of the request in epoch seconds."""
        return self.start_s + self.latency_ms / 1000

    def renamed(self, names: Mapping[str, str]) -> Exemplar:
        """Return a copy with its name replaced, if `names` contains it."""
        return replace(self, name=names[self.name]) if self.name in names else self

    @classmethod
    def of(
        cls, group: str, name: str, start_s: float, latency_ms: float, ids: Callable[[], RequestIds] | None
    ) -> Exemplar:
        """Return the exemplar of a request. `ids` returns its ids, if it has any."""
        return cls(group, name, start_s, latency_ms, *(ids() if ids is not None else ("", "")))

    def to_row(self) -> list[Any]:
        """Return a short form for JSON and msgpack."""
        detail = [self.detail] if self.detail else []
        return [self.group, self.name, self.start_s, self.latency_ms, self.trace_id, self.request_id, *detail]


class SlowestRequests:
    """The slowest of all offered requests, from any number of processes and in any order."""

    __slots__ = ("_kept", "floor_ms")

    def __init__(self) -> None:
        self._kept: list[Exemplar] = []
        self.floor_ms = 0.0
        """The lowest latency of the slowest requests. A faster request need not be offered."""

    def offer(self, request: Exemplar) -> None:
        """Keep a request if it is among the slowest. Among equal latencies, the first to start are kept."""
        insort(self._kept, request, key=_by_latency)
        if len(self._kept) >= SLOWEST:
            del self._kept[SLOWEST:]
            self.floor_ms = self._kept[-1].latency_ms

    def requests(self) -> list[Exemplar]:
        """Return the requests, the slowest first."""
        return list(self._kept)

    def merge_rows(self, rows: Iterable[list[Any]]) -> None:
        """Offer the rows of another instance's `to_rows`."""
        for row in rows:
            self.offer(Exemplar(*row))

    def to_rows(self) -> list[list[Any]]:
        """Return the row of each request."""
        return [request.to_row() for request in self._kept]


def _by_latency(request: Exemplar) -> tuple[float, float, str]:
    return -request.latency_ms, request.start_s, request.trace_id
