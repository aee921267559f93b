"""Test how often a measurement is repeated."""

from __future__ import annotations

from itertools import accumulate, repeat

import pytest

from loadgate.sampler import pace
from loadgate.sampler.pace import MAX_SHARE, PERIOD_S, Pace


def due_after(cost_s: float, made: Pace, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return at which of these seconds after a measurement with this CPU time it is due again."""
    cpu_s = accumulate(repeat(cost_s), initial=0.0)
    monkeypatch.setattr(pace.time, "thread_time", lambda: next(cpu_s))
    with made.measuring(100.0):
        assert made.is_due(99.0)
    return [after_s for after_s in (0.0, 0.4, 1.0, 2.0, 3.0, 10.0) if made.is_due(100.0 + after_s)]


def test_what_fits_into_a_second_is_always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    assert due_after(MAX_SHARE * PERIOD_S, Pace(), monkeypatch) == [0.0, 0.4, 1.0, 2.0, 3.0, 10.0]


def test_what_takes_longer_is_due_when_its_share_is_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert due_after(MAX_SHARE * 2.5, Pace(), monkeypatch) == [3.0, 10.0]


def test_the_shortest_interval_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert due_after(0.0, Pace(0.001, 0.5), monkeypatch) == [1.0, 2.0, 3.0, 10.0]


def test_after_a_change_of_the_clock_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pace()
    due_after(1.0, made, monkeypatch)
    assert not made.is_due(50.0)
    made.forget()
    assert made.is_due(50.0)
