"""Whether a document is a run.json as run.schema.json says, so that whoever reads one may rely on it.

Reads the keywords that the schema uses, and allows keys that it does not know: those of a newer version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]


def run_problem(document: object) -> str | None:
    """Return the first place where a document is not as the schema says, and why, or `None`."""
    return next(_problems(document, _schema(), ""), None)


@cache
def _schema() -> Schema:
    return dict(json.loads((files("loadgate.report") / "run.schema.json").read_text(encoding="utf-8")))


def _problems(value: Any, schema: Schema, place: str) -> Iterator[str]:
    """What is wrong with a value, and with those within where it is itself of its type; `place` is as `jq` names it."""
    if "anyOf" in schema:
        # All of the schema's choices are between an object and null.
        schema = schema["anyOf"][value is None]
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if problem := _own_problem(value, schema):
        yield f"{place} {problem}"
    elif isinstance(value, dict):
        yield from _object_problems(value, schema, place)
    elif isinstance(value, list):
        yield from _array_problems(value, schema, place)


def _own_problem(value: Any, schema: Schema) -> str | None:
    if "const" in schema or "enum" in schema:
        known = [schema["const"]] if "const" in schema else schema["enum"]
        # True equals 1.
        if not any(type(value) is type(one) and value == one for one in known):
            return f"is none of {', '.join(map(repr, known))}"
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_IS[kind](value) for kind in kinds):
        return f"is not of type {' or '.join(kinds)}"
    if "minimum" in schema and value is not None and not schema["minimum"] <= value <= schema.get("maximum", value):
        return "is out of bounds"
    return None


def _object_problems(value: dict[str, Any], schema: Schema, place: str) -> Iterator[str]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place or 'it'} has no {name!r}"
    for name, item in value.items():
        if name in known:
            yield from _problems(item, known[name], f"{place}.{name}")
        elif isinstance(others, dict):
            yield from _problems(item, others, f"{place}.{name}")


def _array_problems(value: list[Any], schema: Schema, place: str) -> Iterator[str]:
    first, rest = schema.get("prefixItems", []), schema.get("items")
    if len(value) < schema.get("minItems", 0):
        yield f"{place} has too few items"
    for number, (item, own) in enumerate(zip(value, first, strict=False)):
        yield from _problems(item, own, f"{place}[{number}]")
    if not isinstance(rest, dict):
        return
    if set(map(type, value)) in ({int}, {float}):
        # Of thousands of numbers the smallest and the largest tell as much as all of them.
        yield from _problems(min(value), rest, place)
        yield from _problems(max(value), rest, place)
        return
    for number, item in enumerate(value[len(first) :], start=len(first)):
        yield from _problems(item, rest, f"{place}[{number}]")


def _is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold: JSON itself knows neither NaN nor Infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


_IS: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and isinstance(value, int),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
