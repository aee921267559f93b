"""Test what is read from the response to a failed request: its message, and nothing that could be a secret."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from loadgate.generator.client.problems import MAX_BODY_BYTES, MAX_DETAIL_BYTES, problem_detail


def said(body: Any) -> str:
    """Return what is read from a response with this body."""
    return problem_detail(SimpleNamespace(_content=body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "about:blank", "title": "Busy", "detail": "The database is down."}, "The database is down."),
        ({"error": {"message": "Rate limit exceeded.", "code": 7}}, "Rate limit exceeded."),
        ({"error": "invalid_grant", "message": 5}, "invalid_grant"),
        ({"detail": "two\nlines\tand a http://ann:s3cret@host/"}, "two lines and a http://host/"),
        ({"detail": "half \ud83d"}, "half ?"),
        ({"detail": [{"loc": ["body", "password"], "input": "s3cret"}]}, ""),
        ({"access_token": "s3cret"}, ""),
        (["detail"], ""),
        (b"<html>502 Bad Gateway</html>", ""),
        (b"\xff\xfe", ""),
        (b"[" * 50_000, ""),
        (b"", ""),
    ],
)
def test_the_message_of_a_json_object_is_read(body: Any, expected: str) -> None:
    assert said(body) == expected


def test_a_long_message_is_cut_between_characters() -> None:
    found = said({"detail": "x" + "\N{SNOWMAN}" * 500})
    assert found == "x" + "\N{SNOWMAN}" * ((MAX_DETAIL_BYTES - 1) // 3)
    assert said({"detail": "x" * MAX_BODY_BYTES}) == ""


def test_a_body_that_was_not_read_is_not_read() -> None:
    assert problem_detail(None) == ""
    assert problem_detail(SimpleNamespace(_content=False)) == ""
    both = SimpleNamespace(_cached_content=b'{"detail": "first"}', _content=lambda: b"")
    assert problem_detail(both) == "first"
