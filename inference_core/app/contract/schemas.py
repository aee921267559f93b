"""Compare two JSON Schemas of an OpenAPI document, in requests or in responses.

A client that was written for the old schema must still be able to send what it sent, and to read what it gets. So a
request may only allow more, and a response only less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import gt, lt
from typing import Any, Literal

from inference_core.core.exceptions import OperatorError

Direction = Literal["request", "response"]
Schema = Mapping[str, Any]

UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
REFERENCE = "#/"


class ContractError(OperatorError):
    """Raised if a document is not an OpenAPI document. The text states what is wrong."""


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two documents: where it is, what it is, and whether it breaks clients."""

    where: str
    what: str
    breaking: bool = True

    def __str__(self) -> str:
        return f"{'breaking' if self.breaking else 'info'}: {self.where}: {self.what}"


def mapping(value: object, where: str) -> Mapping[str, Any]:
    """Return a part of a document that must be an object.

    Raises:
        ContractError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise ContractError(f"{where} must be an object")
    return value


@dataclass(frozen=True)
class SchemaComparison:
    """The comparison of the schemas of two documents, of which one or both can contain references."""

    old_document: Mapping[str, Any]
    new_document: Mapping[str, Any]

    def compare(self, old: object, new: object, where: str, direction: Direction) -> list[Change]:
        """Return the differences of two schemas at a place."""
        return list(self._changes(old, new, where, direction, frozenset()))

    def _changes(
        self, old: object, new: object, where: str, direction: Direction, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Change]:
        references = (_reference(old), _reference(new))
        if references in seen:
            return  # a schema that contains itself
        if all(references):
            seen |= {references}
        olds, old_null = _alternatives(old, self.old_document)
        news, new_null = _alternatives(new, self.new_document)
        if direction == "request" and old_null and not new_null:
            yield Change(where, "null is no longer accepted")
        if direction == "response" and new_null and not old_null:
            yield Change(where, "can be null")
        if len(olds) == 1 and len(news) == 1:
            yield from self._changes_of_one(olds[0], news[0], where, direction, seen)
            return
        kept, others = (olds, news) if direction == "request" else (news, olds)
        for one in kept:
            pairs = [(one, other) if direction == "request" else (other, one) for other in others]
            found = [list(self._changes_of_one(*pair, where, direction, seen)) for pair in pairs]
            if any(not any(change.breaking for change in changes) for changes in found):
                continue
            close = [changes for other, changes in zip(others, found, strict=True) if _title(other) == _title(one)]
            if close:
                yield from close[0]
            else:
                said = "is no longer accepted" if direction == "request" else "is a new alternative"
                yield Change(where, f"{_title(one)} {said}")

    def _changes_of_one(
        self, old: Schema, new: Schema, where: str, direction: Direction, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Change]:
        old_type, new_type = _type(old), _type(new)
        if old_type != new_type:
            wider, narrower = (new_type, old_type) if direction == "request" else (old_type, new_type)
            if wider is not None and (wider, narrower) != ("number", "integer"):
                yield Change(where, f"the type changed from {old_type or 'any'} to {new_type or 'any'}")
                return
        yield from _value_changes(old, new, where, direction)
        if old_type == "object" or new_type == "object":
            yield from self._field_changes(old, new, where, direction, seen)
        for keyword, name in (
            ("items", f"{where}[]"),
            ("contentSchema", where),
            ("additionalProperties", f"{where}.*"),
        ):
            if isinstance(old.get(keyword), Mapping) or isinstance(new.get(keyword), Mapping):
                yield from self._changes(_inner(old, keyword), _inner(new, keyword), name, direction, seen)

    def _field_changes(
        self, old: Schema, new: Schema, where: str, direction: Direction, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Change]:
        old_fields = mapping(old.get("properties", {}), f"{where}: properties")
        new_fields = mapping(new.get("properties", {}), f"{where}: properties")
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(old_fields.keys() | new_fields.keys()):
            place = f"{where}.{name}"
            if name not in new_fields:
                yield Change(place, "the field was removed")
            elif name not in old_fields:
                if direction == "request" and name in new_required:
                    yield Change(place, "the field is new and required")
                else:
                    yield Change(place, "the field is new", breaking=False)
            else:
                if direction == "request" and name in new_required - old_required:
                    yield Change(place, "the field became required")
                if direction == "response" and name in old_required - new_required:
                    yield Change(place, "the field became optional")
                yield from self._changes(old_fields[name], new_fields[name], place, direction, seen)
        if direction == "request" and new.get("additionalProperties") is False and _allows_more(old):
            yield Change(where, "additional fields are no longer accepted")


def _reference(schema: object) -> str:
    return str(schema["$ref"]) if isinstance(schema, Mapping) and "$ref" in schema else ""


def resolve(part: object, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of a document, or what it refers to.

    Raises:
        ContractError: The reference leads outside of the document or nowhere.
    """
    for _ in range(20):
        reference = _reference(part)
        if not reference:
            return mapping(part, "a schema")
        found: Any = document
        for key in reference.removeprefix(REFERENCE).split("/"):
            found = found.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if found is None or not reference.startswith(REFERENCE):
            raise ContractError(f"the reference {reference} leads nowhere")
        part = found
    raise ContractError(f"the reference {_reference(part)} leads to itself")


def _alternatives(schema: object, document: Mapping[str, Any]) -> tuple[list[Schema], bool]:
    """Return the schemas of which a value matches one, without null, and whether null is one of them."""
    if isinstance(schema, bool):
        schema = {}
    whole = resolve(schema, document)
    name = _reference(schema).rpartition("/")[2]
    if parts := whole.get("allOf"):
        whole = _merged([resolve(part, document) for part in parts])
    if parts := whole.get("anyOf") or whole.get("oneOf"):
        found = [_alternatives(part, document) for part in parts]
        return [one for ones, _ in found for one in ones], any(null for _, null in found)
    types = whole.get("type")
    kinds = list(types) if isinstance(types, list) else [types]
    named = {**whole, "title": name or whole.get("title")}
    return [{**named, "type": kind} for kind in kinds if kind != "null"], "null" in kinds


def _merged(schemas: list[Schema]) -> Schema:
    """Return the schema of values that match all of `schemas`, which are usually objects with different fields."""
    merged: dict[str, Any] = {}
    for schema in schemas:
        properties = {**merged.get("properties", {}), **schema.get("properties", {})}
        required = [*merged.get("required", ()), *schema.get("required", ())]
        merged |= schema
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _inner(schema: Schema, keyword: str) -> object:
    inner = schema.get(keyword, {})
    return {} if isinstance(inner, bool) else inner


def _allows_more(schema: Schema) -> bool:
    return schema.get("additionalProperties") is not False


def _type(schema: Schema) -> str | None:
    kind = schema.get("type")
    if kind is None and "properties" in schema:
        return "object"
    return str(kind) if kind is not None else None


def _title(schema: Schema) -> str:
    """Return the name of an alternative: its event or other constant, its schema, or its type."""
    for field in mapping(schema.get("properties", {}), "properties").values():
        if isinstance(field, Mapping) and len(values := _values(field) or ()) == 1:
            return str(*values)
    return str(schema.get("title") or _type(schema) or "any value")


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _value_changes(old: Schema, new: Schema, where: str, direction: Direction) -> Iterator[Change]:
    """Yield differences of the values of one type: constants, formats, bounds."""
    old_values, new_values = _values(old), _values(new)
    if old_values != new_values:
        yield from _changes_of_values(old_values, new_values, where, direction)
    wider, narrower = (new, old) if direction == "request" else (old, new)
    if wider.get("format") not in (None, narrower.get("format")):
        yield Change(where, f"the format changed from {old.get('format', 'any')} to {new.get('format', 'any')}")
    if direction == "request":
        if new.get("pattern") not in (None, old.get("pattern")):
            yield Change(where, f"the pattern changed to {new['pattern']}")
        for names, is_narrower in ((UPPER_BOUNDS, lt), (LOWER_BOUNDS, gt)):
            for name in names:
                if name in new and (name not in old or is_narrower(new[name], old[name])):
                    yield Change(where, f"{name} changed from {old.get(name, 'none')} to {new[name]}")


def _changes_of_values(
    old: list[Any] | None, new: list[Any] | None, where: str, direction: Direction
) -> Iterator[Change]:
    added = [value for value in new or () if value not in (old or ())]
    removed = [value for value in old or () if value not in (new or ())]
    if old is None or new is None:
        if (new if direction == "request" else old) is not None:
            yield Change(where, f"the values changed from {_listed(old)} to {_listed(new)}")
        return
    for value in removed:
        yield Change(where, f"the value {value} was removed", breaking=direction == "request")
    for value in added:
        # Generated clients refuse a value that they do not know.
        yield Change(where, f"the value {value} is new", breaking=direction == "response")


def _listed(values: list[Any] | None) -> str:
    return "any" if values is None else ", ".join(map(str, values))
