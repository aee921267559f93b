"""Where a commit lies between the ends of a regression."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadgate.analysis.ab.position import Position, halfway, position
from loadgate.analysis.ab.segments import MeasureKind
from loadgate.analysis.interval import Interval
from tests.loadgate.report.ab.documents import change


def test_half_of_a_relative_change_twice_is_the_whole() -> None:
    assert (1 + halfway(change(value=0.21))) ** 2 == pytest.approx(1.21)
    assert halfway(change(kind=MeasureKind.FAILURES, value=0.02)) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="auth: p95 has no change"):
        halfway(replace(change(), change=None))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.12, 0.30, Position.GOOD),
        (-0.05, 0.06, Position.BAD),
        (0.05, 0.15, Position.UNDECIDED),
        (None, 0.05, Position.BAD),
        (0.15, None, Position.GOOD),
        (None, None, Position.UNDECIDED),
    ],
)
def test_the_interval_decides(low: float | None, high: float | None, expected: Position) -> None:
    assert position(replace(change(), interval=Interval(low, high, 0.95)), 0.1) is expected


def test_without_an_interval_a_commit_is_undecided() -> None:
    assert position(replace(change(), interval=None), 0.1) is Position.UNDECIDED


def test_the_values_are_the_exit_codes_of_git_bisect_run() -> None:
    assert (Position.GOOD, Position.BAD, Position.UNDECIDED) == (0, 1, 125)
