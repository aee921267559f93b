"""The table of `docs/reliability.md` names tests that exist, for every fault from F01 to F27 and the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documented_tests import assert_tests_exist
from tests.support.stack import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE)
FAULTS = [(fault, tests) for fault, tests in ROWS if ".py" in tests]


def test_every_fault_has_a_row() -> None:
    numbered = [fault.split()[0] for fault, _ in ROWS if re.match(r"F\d\d ", fault)]
    assert numbered == [f"F{number:02}" for number in range(1, 28)]


@pytest.mark.parametrize(("fault", "tests"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_its_tests_exist(fault: str, tests: str) -> None:
    assert_tests_exist(tests, Path(__file__).parent)
