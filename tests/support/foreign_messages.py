"""Messages that another program, another version or a broken one could put into a queue; made from a good one."""

from __future__ import annotations

import copy
import json
import pickle
import zlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

WRONG: tuple[Any, ...] = (5, -1, 1.5, True, "x", "", [], ["a", "b"], {}, {"a": 1}, [None], 10**30, "\x00", "é" * 300)

RAW: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"x"',
    "null": b"null",
    "true": b"true",
    "no number": b"NaN",
    "an empty object": b"{}",
    "half a message": b'{"body": "W1tdLCB7f',
    "bytes": bytes(range(256)),
    "not UTF-8": b'"\xff\xfe"',
    "NUL": b"\0\0\0",
    "a pickle": pickle.dumps({"task": "test.add"}),
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a long number": b"1" * 10_000,
    "huge": b'{"body": "' + b"a" * (9 * 1024 * 1024) + b'"}',
    "twice the same name": b'{"body": "", "body": 5}',
}


def _with(good: dict[str, Any], path: tuple[str, ...], value: Any) -> bytes:
    message = copy.deepcopy(good)
    part = message
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return json.dumps(message).encode()


def _with_body(good: dict[str, Any], body: Any) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _with(good, ("body",), b64encode(text).decode())


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def _bodies() -> Iterator[tuple[str, Any]]:
    for wrong in (*WRONG, None, [[], {}], [[], {}, {}, {}], [{}, [], {}], [[], {}, []], ["args", {}, None]):
        yield f"body {wrong!r}"[:60], wrong
    for part in ("callbacks", "errbacks", "chain", "chord"):
        for wrong in (5, "x", [5], [[]], {"task": 5}, [{"task": "test.add", "args": 5}], {"a": 1}, [None]):
            if part == "chord" or not isinstance(wrong, dict):
                yield f"{part} {wrong!r}", [[1, 2], {}, {part: wrong}]
    yield "body not JSON", b"hello"
    yield "body not UTF-8", b'[["\xff"], {}, null]'
    yield "deep arguments", [[_deep(500)], {}, None]
    yield "body a pickle", pickle.dumps(([], {}, None))


WRONG_HEADERS: dict[tuple[str, ...], tuple[Any, ...]] = {
    ("task", "id", "root_id", "parent_id", "group", "argsrepr", "kwargsrepr", "shadow"): (5, True, [], {}, ["a"]),
    ("eta", "expires"): (5, True, [], {}, "x", "9999-99-99", "-1", "2026-01-01T00:00:00+99:00", "0" * 50),
    ("timelimit",): (["a", "b"], 5, "x", {}, [1], [1, 2, 3], [-1, -1], [None, "1"], [1e300, 1], [{}, []], [True, []]),
    ("retries", "group_index", "replaced_task_nesting"): ("x", -1, [], {}, 10**30, 1.5),
    ("ignore_result", "redelivered"): ("x", [], {}, 5),
    ("stamped_headers",): (5, "x", [5], {}),
    ("request_id", "trace_id", "traceparent"): (5, [], {}),
    ("id",): ("", "a\0b", "x" * 100_000),
    ("task",): ("", "x" * 100_000),
    ("more",): (_deep(500),),
}


def _headers() -> Iterator[tuple[tuple[str, ...], Any]]:
    for names, values in WRONG_HEADERS.items():
        for name in names:
            for wrong in values:
                yield ("headers", name), wrong


def _envelopes() -> Iterator[tuple[tuple[str, ...], Any]]:
    for wrong in (*WRONG, None):
        if wrong != {}:
            yield ("headers",), wrong
        for name in ("properties", "content-type", "content-encoding"):
            yield (name,), wrong
        yield ("properties", "delivery_info"), wrong
        if not isinstance(wrong, str) or wrong == "":
            yield ("body",), wrong
            yield ("properties", "delivery_tag"), wrong
    yield ("body",), "no base64!"
    yield ("body",), "A"
    yield ("properties", "body_encoding"), "rot13"
    yield ("properties", "priority"), "high"
    yield ("properties", "priority"), 10**9
    for encoding in ("latin-1", "utf-16", "utf-7", "punycode", "no such codec"):
        yield ("content-encoding",), encoding
    for kind in ("application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "application/data"):
        yield ("content-type",), kind
    for compression in ("application/x-gzip", "application/zstd", "no such", 5):
        yield ("headers", "compression"), compression


def foreign_messages(good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """What lies in the queue, and a name for it.

    Args:
        good: a message of the service, as `json.loads` gives it.
    """
    yield from RAW.items()
    for path, value in (*_envelopes(), *_headers()):
        yield f"{'.'.join(path)} = {value!r}"[:80], _with(good, path, value)
    for name, body in _bodies():
        yield name, _with_body(good, body)
    for name in ("body", "properties", "headers", "content-type", "content-encoding"):
        yield f"without {name}", json.dumps({key: value for key, value in good.items() if key != name}).encode()
    for name in ("task", "id"):
        headers = {key: value for key, value in good["headers"].items() if key != name}
        yield f"without headers.{name}", _with(good, ("headers",), headers)
    old = {"task": "test.add", "id": "one", "args": [1, 2], "kwargs": {}}
    yield (
        "Celery's first protocol",
        json.dumps(
            {**json.loads(_with(good, ("headers",), {})), "body": b64encode(json.dumps(old).encode()).decode()}
        ).encode(),
    )
    bomb = b64encode(zlib.compress(b"[" * 50_000_000)).decode()
    compressed = json.loads(_with(good, ("headers", "compression"), "application/x-gzip"))
    yield "a bomb", json.dumps({**compressed, "body": bomb}).encode()
