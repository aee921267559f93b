"""Test which conclusions the console and the summary state."""

from __future__ import annotations

import pytest

from loadgate.report.conclusions import MIN_GROWTH_S, brief_conclusions
from loadgate.run.document import RunDocument
from tests.loadgate.report.runs import KINDS
from tests.support.run_documents import as_json, document_of


def run_with_growth(duration_s: float, *, low_per_s: float = 0.5, doubt: str | None = None) -> RunDocument:
    growth = {
        "resource": "api",
        "quantity": "memory",
        "unit": "bytes",
        "per_s": 1.0,
        "low_per_s": low_per_s,
        "high_per_s": 2.0,
        "visible_per_s": 1.0,
        "kind": None,
        "doubt": doubt,
        "sentence": "api memory grows.",
    }
    data = as_json(KINDS["full"]())
    data["conclusions"] = {"growth": [growth], "recoveries": [], "left_over": [], "episodes": []}
    data["run"] |= {"duration_s": duration_s}
    return document_of(data)


def test_a_growth_that_can_be_a_leak_is_stated() -> None:
    assert brief_conclusions(run_with_growth(MIN_GROWTH_S)) == ["api memory grows."]


@pytest.mark.parametrize(
    "run",
    [
        run_with_growth(MIN_GROWTH_S - 1),
        run_with_growth(MIN_GROWTH_S, low_per_s=-0.5),
        run_with_growth(MIN_GROWTH_S, doubt="it is still warming up"),
    ],
    ids=["short run", "no growth", "warm-up"],
)
def test_a_growth_that_may_be_none_or_a_warm_up_is_only_in_the_report(run: RunDocument) -> None:
    assert brief_conclusions(run) == []
