"""Find request events in `overall` that may not be requests, such as token counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPMethod

from loadgate.recorder import Recorder

MAX_LISTED_TYPES = 5

_HTTP = frozenset(map(str, HTTPMethod))


@dataclass(frozen=True, slots=True)
class UndeclaredEvents:
    """The undeclared types of events in a run that also has HTTP requests, and a note about them."""

    undeclared_types: frozenset[str]
    note: str


def find_undeclared_events(recorder: Recorder, declared: Collection[str]) -> UndeclaredEvents | None:
    """Return the types that are neither HTTP methods nor `declared`. `None` without them or without HTTP requests."""
    counts = {method: count for method, count in recorder.methods().items() if method}
    http = sum(count for method, count in counts.items() if method.upper() in _HTTP)
    undeclared = {
        method: count for method, count in counts.items() if method.upper() not in _HTTP and method not in declared
    }
    if not http or not undeclared:
        return None
    types = sorted(undeclared, key=lambda method: (-undeclared[method], method))
    listed = ", ".join(f"{undeclared[method]} of type {method}" for method in types[:MAX_LISTED_TYPES])
    more = f" and of {len(types) - MAX_LISTED_TYPES} more types" if len(types) > MAX_LISTED_TYPES else ""
    note = (
        f"overall counts {http} HTTP requests and {listed}{more}; declare each type with install(requests=[...]) if "
        "its events are requests, else with install(measures=[...])"
    )
    return UndeclaredEvents(frozenset(undeclared), note)
