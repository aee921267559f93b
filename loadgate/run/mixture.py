"""What `overall` counts that may be no requests: events that a suite fires for figures of its own, such as tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPMethod

from loadgate.recorder import Recorder

MAX_TYPES_SAID = 5

_HTTP = frozenset(map(str, HTTPMethod))


@dataclass(frozen=True, slots=True)
class Mixture:
    """Types of events that stand beside HTTP requests and are not declared, and a sentence that says so."""

    others: frozenset[str]
    sentence: str


def find_mixture(recorder: Recorder, declared: Collection[str]) -> Mixture | None:
    """Return what is recorded beside HTTP requests. `None` where all is HTTP, or nothing, or of `declared` types."""
    counts = {method: count for method, count in recorder.methods().items() if method}
    http = sum(count for method, count in counts.items() if method.upper() in _HTTP)
    others = {
        method: count for method, count in counts.items() if method.upper() not in _HTTP and method not in declared
    }
    if not http or not others:
        return None
    most = sorted(others, key=lambda method: (-others[method], method))
    said = ", ".join(f"{others[method]} of type {method}" for method in most[:MAX_TYPES_SAID])
    more = f" and of {len(most) - MAX_TYPES_SAID} more types" if len(most) > MAX_TYPES_SAID else ""
    sentence = (
        f"overall counts {http} HTTP requests and {said}{more}: if those are no requests, declare their types with "
        "install(measures=[...]), else with install(requests=[...])"
    )
    return Mixture(frozenset(others), sentence)
