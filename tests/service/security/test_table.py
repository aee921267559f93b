"""The table of `docs/security.md` names tests that exist, for every item."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documented_tests import assert_tests_exist, named_tests
from tests.support.stack import ROOT

HERE = Path(__file__).parent
ROWS = re.findall(r"^\| (S\d\d) \|.*\| (.+?) \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)


def test_every_item_has_a_row() -> None:
    assert len(ROWS) >= 49
    assert [item for item, _ in ROWS] == [f"S{number:02}" for number in range(1, len(ROWS) + 1)]


@pytest.mark.parametrize(("item", "tests"), ROWS, ids=[item for item, _ in ROWS])
def test_its_tests_exist(item: str, tests: str) -> None:
    assert_tests_exist(tests, HERE)
    own = f"test_{item}_"
    files = [HERE / path for path, _ in named_tests(tests) if path.endswith(".py")]
    assert any(own in file.read_text() for file in files), f"no test is named {own}…"
