"""Compare two OpenAPI documents, and find the changes that break clients of the first one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference_core.app.contract.schemas import Change, SchemaComparison, mapping, resolve

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Document = Mapping[str, Any]
Operation = Mapping[str, Any]


def compare_documents(old: Document, new: Document) -> list[Change]:
    """Return the differences between two OpenAPI documents that concern clients, in the order of their paths.

    Raises:
        ContractError: A document is not valid.
    """
    return list(_Comparison(old, new).changes())


class _Comparison:
    def __init__(self, old: Document, new: Document) -> None:
        self._old = old
        self._new = new
        self._schemas = SchemaComparison(old, new)

    def changes(self) -> Iterator[Change]:
        old_operations, new_operations = _operations(self._old), _operations(self._new)
        for where in sorted(old_operations.keys() | new_operations.keys(), key=lambda where: where.split()[::-1]):
            if where not in new_operations:
                yield Change(where, "the operation was removed")
            elif where not in old_operations:
                yield Change(where, "the operation is new", breaking=False)
            else:
                yield from self._operation(where, old_operations[where], new_operations[where])

    def _operation(self, where: str, old: Operation, new: Operation) -> Iterator[Change]:
        old_id, new_id = old.get("operationId"), new.get("operationId")
        if old_id != new_id:
            yield Change(where, f"the operation id changed from {old_id} to {new_id}")
        if new.get("deprecated") and not old.get("deprecated"):
            yield Change(where, "the operation is deprecated", breaking=False)
        yield from self._security(where, old, new)
        yield from self._parameters(where, old, new)
        yield from self._body(f"{where}: request", old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(where, old, new)

    def _security(self, where: str, old: Operation, new: Operation) -> Iterator[Change]:
        """A caller must still be accepted: what it sends has to fulfil one of the new alternatives."""
        olds = old.get("security", self._old.get("security")) or [{}]
        news = new.get("security", self._new.get("security")) or [{}]
        for sent in olds:
            if not any(needed.keys() <= sent.keys() for needed in news):
                names = " or ".join(" and ".join(needed) for needed in news)
                yield Change(where, f"{' and '.join(sent) or 'no authentication'} is not sufficient; {names} is needed")

    def _parameters(self, where: str, old: Operation, new: Operation) -> Iterator[Change]:
        olds, news = _parameters(old, self._old), _parameters(new, self._new)
        for name in sorted(olds.keys() | news.keys()):
            place = f"{where}: {name}"
            if name not in news:
                yield Change(place, "the parameter was removed")
            elif name not in olds:
                required = bool(news[name].get("required"))
                yield Change(place, f"the parameter is new{' and required' * required}", breaking=required)
            else:
                if news[name].get("required") and not olds[name].get("required"):
                    yield Change(place, "the parameter became required")
                yield from self._schemas.compare(
                    olds[name].get("schema", {}), news[name].get("schema", {}), place, "request"
                )

    def _body(self, where: str, old: object, new: object) -> Iterator[Change]:
        if new is None:
            if old is not None:
                yield Change(where, "the body was removed")
            return
        new_body = resolve(new, self._new)
        required = bool(new_body.get("required"))
        if old is None:
            yield Change(where, f"the body is new{' and required' * required}", breaking=required)
            return
        old_body = resolve(old, self._old)
        if required and not old_body.get("required"):
            yield Change(where, "the body became required")
        yield from self._contents(where, old_body, new_body, is_request=True)

    def _responses(self, where: str, old: Operation, new: Operation) -> Iterator[Change]:
        olds, news = mapping(old.get("responses", {}), where), mapping(new.get("responses", {}), where)
        for status in sorted(olds.keys() | news.keys()):
            place = f"{where}: response {status}"
            if status not in news:
                yield Change(place, "the response was removed", breaking=status.startswith("2"))
            elif status not in olds:
                yield Change(place, "the response is new", breaking=False)
            else:
                yield from self._contents(
                    place, resolve(olds[status], self._old), resolve(news[status], self._new), is_request=False
                )

    def _contents(self, where: str, old: Operation, new: Operation, *, is_request: bool) -> Iterator[Change]:
        olds, news = mapping(old.get("content", {}), where), mapping(new.get("content", {}), where)
        for kind in sorted(olds.keys() | news.keys()):
            if kind not in news:
                yield Change(where, f"the content type {kind} was removed")
            elif kind not in olds:
                yield Change(where, f"the content type {kind} is new", breaking=False)
            else:
                yield from self._schemas.compare(
                    mapping(olds[kind], where).get("schema", {}),
                    mapping(news[kind], where).get("schema", {}),
                    where,
                    "request" if is_request else "response",
                )


def _operations(document: Document) -> dict[str, Operation]:
    """Return the operations by their method and path. Parameters of a path are added to its operations."""
    found: dict[str, Operation] = {}
    for path, item in mapping(document.get("paths"), "paths").items():
        shared = mapping(item, path)
        for method in METHODS:
            if method in shared:
                operation = mapping(shared[method], f"{method} {path}")
                parameters = [*shared.get("parameters", ()), *operation.get("parameters", ())]
                found[f"{method.upper()} {path}"] = {**operation, "parameters": parameters}
    return found


def _parameters(operation: Operation, document: Document) -> dict[str, Mapping[str, Any]]:
    parameters = [resolve(parameter, document) for parameter in operation["parameters"]]
    return {f"{parameter.get('in')} parameter {parameter.get('name')}": parameter for parameter in parameters}
