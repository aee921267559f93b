"""Test that the calibration contains the proofs."""

from __future__ import annotations

import pytest

from benchmarks.calibrate import __main__ as calibration
from benchmarks.calibrate.ab.versions import CASES
from benchmarks.calibrate.drains import DRAIN_CASES
from benchmarks.calibrate.injections import INJECTIONS
from benchmarks.calibrate.leaks.proof import Plan


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    ("name", "module", "whole"),
    [
        ("leaks", "leaks.proof", (Plan(),)),
        ("recovery", "recovery", (DRAIN_CASES, 20)),
        ("causes", "causes", (INJECTIONS, 20)),
        ("ab", "ab.proof", (CASES, 20)),
    ],
)
def test_the_calibration_contains_each_whole_proof(
    name: str, module: str, whole: tuple[object, ...], holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved: list[tuple[object, ...]] = []

    def noted(*what: object) -> bool:
        proved.append(what)
        return holds

    monkeypatch.setattr(f"benchmarks.calibrate.{module}.prove", noted)
    monkeypatch.setattr("sys.argv", ["calibrate", "--only", name])
    assert calibration.main() == (0 if holds else 1)
    assert proved == [whole]
