"""A reduced form of the simulation of histories: `python -m benchmarks.calibrate.changes`."""

from __future__ import annotations

import sys

import pytest

from benchmarks.calibrate import changes


def reduced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Run the program with few histories of independent runs."""
    monkeypatch.setattr(sys, "argv", ["changes", "--histories", "3"])
    monkeypatch.setattr(changes, "STABLE", 100)
    monkeypatch.setattr(changes, "KINDS", {"independent": changes.KINDS["independent"]})
    monkeypatch.setattr(changes, "SPREADS", (0.03,))
    monkeypatch.setattr(changes, "SIZES", (0.20,))
    monkeypatch.setattr(changes, "PLACES", (20,))
    return changes.main(), capsys.readouterr().out.splitlines()


def test_a_large_change_is_found_and_stable_histories_are_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reduced(monkeypatch, capsys) == (
        0, ["| runs | spread | false alarms | suspected | +20% |", "| independent | 3% | 0 | 0 | 100% |",
            "every share is within its limit"],
    )  # fmt: skip


def test_false_alarms_and_missed_changes_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(changes, "_stable", lambda *_: (3.0, 0.0))
    monkeypatch.setattr(changes, "_found", lambda *_: 0.5)
    code, lines = reduced(monkeypatch, capsys)
    assert code == 1
    assert lines[-2:] == [
        "independent, spread 3%: 3 false alarms per 100 histories, limit 2",
        "independent: 50% of the changes of +20% found, limit 95%",
    ]
