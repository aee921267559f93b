"""The line that a generator adds to a service file: everything else keeps every byte."""

from __future__ import annotations

import pytest

from inference_core.app.generate.errors import GenerateError
from inference_core.app.generate.service_file import with_feature

USUAL = """\
service = Service(
    name="shop",
    features=load_features(
        "inference_core.health",  # first, it is polled
        "shop.goods",
    ),
)
"""
CASES = {
    "usual": (USUAL, USUAL.replace('"shop.goods",\n', '"shop.goods",\n        "shop.notes",\n')),
    "one line": ('f = load_features("a")\n', 'f = load_features("a", "shop.notes")\n'),
    "one line with a comma": ('f = load_features("a",)\n', 'f = load_features("a", "shop.notes",)\n'),
    "empty": ("f = load_features()\n", 'f = load_features("shop.notes")\n'),
    "empty with a comment": (
        "f = load_features(\n    # none, yet\n)\n",
        'f = load_features(\n    # none, yet\n    "shop.notes",\n)\n',
    ),
    "no last comma": ('f = load_features(\n    "a"\n)\n', 'f = load_features(\n    "a",\n    "shop.notes",\n)\n'),
    "no last comma, but a comment with one": (
        'f = load_features(\n    "a"  # one, two\n)\n',
        'f = load_features(\n    "a",  # one, two\n    "shop.notes",\n)\n',
    ),
    "a comment after the last entry": (
        'f = load_features(\n    "a",  # one, two\n    # three\n)\n',
        'f = load_features(\n    "a",  # one, two\n    "shop.notes",\n    # three\n)\n',
    ),
    "a comma on a line of its own": (
        'f = load_features(\n    "a"\n    ,\n)\n',
        'f = load_features(\n    "a"\n    ,\n    "shop.notes",\n)\n',
    ),
    "an attribute": ('f = feature.load_features("a")\n', 'f = feature.load_features("a", "shop.notes")\n'),
    "tabs": ('f = load_features(\n\t"a",\n)\n', 'f = load_features(\n\t"a",\n\t"shop.notes",\n)\n'),
    "no line end at the end": ('f = load_features("a")', 'f = load_features("a", "shop.notes")'),
    "letters of several bytes": (
        'é = "ü"; f = load_features("日本", "ö")  # ä\n',
        'é = "ü"; f = load_features("日本", "ö", "shop.notes")  # ä\n',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_entry_is_added(case: str) -> None:
    before, after = CASES[case]
    assert with_feature(before.encode(), "shop.notes", "service.py").decode() == after


def test_windows_line_ends_stay() -> None:
    before, after = (text.replace("\n", "\r\n").encode() for text in CASES["usual"])
    assert with_feature(before, "shop.notes", "service.py") == after


def test_a_second_feature_follows_the_first() -> None:
    once = with_feature(USUAL.encode(), "shop.notes", "service.py")
    twice = with_feature(once, "shop.news", "service.py").decode()
    assert twice == USUAL.replace('goods",\n', 'goods",\n        "shop.notes",\n        "shop.news",\n')


@pytest.mark.parametrize(
    "source", ["service = Service(features=(a, b))\n", "", "a = load_features()\nb = load_features()\n"]
)
def test_a_file_without_the_list_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(GenerateError) as raised:
        with_feature(source.encode(), "shop.notes", "shop/service.py")
    (line,) = str(raised.value).splitlines()
    assert line.startswith("shop/service.py: it needs exactly one features=load_features(")


@pytest.mark.parametrize("source", [b"f = load_features(\n", b"\xff", b"a\0b"])
def test_a_file_that_is_not_python_is_refused_in_one_line(source: bytes) -> None:
    with pytest.raises(GenerateError) as raised:
        with_feature(source, "shop.notes", "shop/service.py")
    (line,) = str(raised.value).splitlines()
    assert line.startswith("shop/service.py: it is not valid Python: ")
