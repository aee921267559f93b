"""The proof of searches in real time: `python -m benchmarks.calibrate.capacity`."""

from __future__ import annotations

import random

import pytest

from benchmarks.calibrate.capacity import CASES, SHORT_CASES
from benchmarks.calibrate.stubs.queueing import law
from loadgate.analysis.capacity.plan import End, Ending
from tests.loadgate.report.capacity.searches import document

POOL = next(case for case in CASES if case.capacity_per_s == 60)


@pytest.mark.parametrize(
    ("holds", "breaks", "took_s", "is_right"),
    [(59, 61, 600, True), (59, 61, 800, False), (60.5, 62, 600, False), (55, 61, 600, False), (58, 60, 600, False)],
)
def test_a_search_is_right_if_its_bounds_are_close_around_the_capacity(
    holds: float, breaks: float, took_s: float, *, is_right: bool
) -> None:
    found = document(End(Ending.SUSTAINS, holds, breaks, is_confirmed=True))
    assert POOL.is_right(found, took_s) is is_right


def test_the_short_cases_are_cases_with_short_trials() -> None:
    wide, fast = SHORT_CASES
    found = document(End(Ending.SUSTAINS, 57, 61, is_confirmed=True))
    assert wide.is_right(found, 100)
    assert not POOL.is_right(found, 100)
    assert fast.is_right(document(End(Ending.AT_LEAST, 100, None, is_confirmed=True)), 100)
    assert {case.arguments[:2] for case in SHORT_CASES} == {("--trial", "10s")}


def test_a_search_must_end_as_its_case_does() -> None:
    never, faster = (next(case for case in CASES if case.ending is end) for end in (Ending.NONE, Ending.AT_LEAST))
    found = document(End(Ending.NONE, None, 0.5))
    assert never.is_right(found, 100)
    assert not faster.is_right(found, 100)
    assert faster.is_right(document(End(Ending.AT_LEAST, 900, None, is_confirmed=True)), 100)


def test_the_laws_of_the_stub_have_their_mean() -> None:
    for name in ("constant", "exponential", "erlang"):
        source = law(name, 0.01, random.Random(1))
        times = [source() for _ in range(4000)]
        assert sum(times) / len(times) == pytest.approx(0.01, rel=0.05)
