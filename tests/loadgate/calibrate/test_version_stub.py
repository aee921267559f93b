"""Test the times of the stub `version`."""

from __future__ import annotations

import random
from statistics import quantiles

import pytest

from benchmarks.calibrate.stubs.version import Version


def times(version: Version) -> list[float]:
    rnd = random.Random(1)
    return sorted(version.time_s(rnd) for _ in range(20_000))


@pytest.mark.parametrize(
    ("version", "p50", "p95"),
    [
        (Version(slower=0.1), 1.1, 1.1),
        (Version(slower_tail=0.1), 1.0, 1.1),
        (Version(slower_half=0.2), 1.0, 1.2),
        (Version(late=0.03), 1.012, None),
        (Version(failures=0.5), 1.0, 1.0),
    ],
    ids=["all", "the tail", "the slower half", "late requests", "failures"],
)
def test_a_version_differs_from_the_usual_one_as_declared(version: Version, p50: float, p95: float | None) -> None:
    usual, changed = (quantiles(times(one), n=20) for one in (Version(), version))
    assert changed[9] / usual[9] == pytest.approx(p50, rel=0.01)
    assert p95 is None or changed[18] / usual[18] == pytest.approx(p95, rel=0.01)


def test_late_requests_are_a_share_of_all() -> None:
    late = sum(seconds > 0.2 + 0.02 for seconds in times(Version(late=0.03)))
    assert late / 20_000 == pytest.approx(0.03, abs=0.003)
