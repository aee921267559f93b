"""Test the proof that leaks are found: `python -m benchmarks.calibrate.leaks`."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from benchmarks.calibrate.leaks.judging import LIMITS, LOW_LIMITS, Judged, Row, judge
from benchmarks.calibrate.leaks.measuring import RESOURCE, Measured, Subject
from benchmarks.calibrate.leaks.proof import Plan, prove
from benchmarks.calibrate.stubs.modes import MODES
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.recorder.resources import ResourceColumn, ResourceUnit
from loadgate.rules import RuleOutcome

START_S = 1_700_000_000
SECONDS = 300
HOUR_S = 3600
MB = 1e6
AT_FIRST = {
    "memory": 12 * MB,
    "heap_in_use": 4 * MB,
    "python_blocks": 70_000,
    "open_files": 7,
    "threads": 1,
    "connections": 5,
}


def judged(mode: str, seconds: int = SECONDS, **per_hour: float) -> Judged:
    """Return the results of a stub whose quantities grow at a steady rate."""
    rng = random.Random(mode)
    measured = Measured(Subject(mode, seed=0), load_s=(START_S, START_S + seconds))
    for second in range(seconds):
        measured.requests.record(FinishedRequest("GET /", Outcome.SUCCESS, START_S + second, 2.0))
        row: dict[ResourceColumn, float | None] = {}
        for quantity, first in AT_FIRST.items():
            in_bytes = quantity in {"memory", "heap_in_use"}
            value = first + per_hour.get(quantity, 0.0) * second / HOUR_S
            column = ResourceColumn(RESOURCE, quantity, unit=ResourceUnit.BYTES if in_bytes else ResourceUnit.COUNT)
            row[column] = value + rng.random() * 10_000 if in_bytes else int(value)
        measured.resources.put(START_S + second, row)
    return judge(measured)


GROWTH: dict[str, dict[str, float]] = {
    "python-leak": {"memory": 60 * MB, "python_blocks": 200_000},
    "native-leak": {"memory": 60 * MB, "heap_in_use": 60 * MB},
    "file-leak": {"open_files": 3600},
    "thread-leak": {"threads": 360},
    "connection-leak": {"connections": 360, "open_files": 360},
    "none": {},
}


@pytest.mark.parametrize("mode", GROWTH)
def test_a_right_conclusion_is_within_the_limits(mode: str) -> None:
    one = judged(mode, **GROWTH[mode])
    assert one.outcome is (RuleOutcome.FAIL if MODES[mode].leaks else RuleOutcome.PASS)
    assert one.is_found == one.has_right_kind == bool(MODES[mode].leaks)
    assert Row(mode, [one]).misses() == []


@pytest.mark.parametrize("mode", [mode for mode in GROWTH if mode != "none"])
def test_a_leak_that_is_not_found_misses_two_limits(mode: str) -> None:
    missed = Row(mode, [judged(mode)]).misses()
    heads = [line for line in missed if not line.startswith(" ")]
    assert heads == [f"{mode}: {what} in 0 of 1 runs, 1 are needed" for what in ("found", "kind right")]


@pytest.mark.parametrize(("mode", "other"), [("python-leak", "native-leak"), ("native-leak", "python-leak")])
def test_a_leak_of_another_kind_misses_a_limit(mode: str, other: str) -> None:
    one = judged(mode, **GROWTH[other])
    assert (one.is_found, one.has_right_kind) == (True, False)
    assert Row(mode, [one]).misses()[0] == f"{mode}: kind right in 0 of 1 runs, 1 are needed"


@pytest.mark.parametrize("mode", ["none", "sawtooth", "file-leak", "python-leak"])
def test_another_quantity_that_breaks_its_limit_is_a_false_fail(mode: str) -> None:
    one = judged(mode, **GROWTH.get(mode, {}), threads=360)
    assert {result.rule.metric.quantity for result in one.false_fails} == {"threads"}
    assert not one.has_right_kind
    assert Row(mode, [one]).misses()[0].startswith(f"{mode} 0: false fail of stub: threads growth < 10/h")


def test_a_stub_that_was_not_measured_for_long_enough_misses_every_limit() -> None:
    one = judged("none", seconds=30)
    assert one.outcome is RuleOutcome.INCONCLUSIVE
    missed = Row("none", [one]).misses()
    assert len(missed) == len(LOW_LIMITS) + len(LIMITS)
    assert missed[0].startswith("none 0: no growth for stub: memory growth < 5MB/h: only 30 seconds under load")


def test_one_leak_in_twenty_may_be_missed_and_two_may_not() -> None:
    found, missed = judged("file-leak", **GROWTH["file-leak"]), judged("file-leak")
    assert Row("file-leak", [found] * 19 + [missed]).misses() == []
    assert Row("file-leak", [found] * 18 + [missed] * 2).misses()[0] == (
        "file-leak: found in 18 of 20 runs, 19 are needed"
    )


def test_the_batches_contain_each_mode_with_each_seed_once() -> None:
    assert sum(map(len, Plan().batches())) == 20 * len(MODES)
    plan = Plan(runs=7, batch=10)
    batches = plan.batches()
    assert max(map(len, batches)) == 10
    subjects = [subject for batch in batches for subject in batch]
    assert len(set(subjects)) == len(subjects)
    assert Counter(subject.mode for subject in subjects) == dict.fromkeys(MODES, 7)


@pytest.mark.process
@pytest.mark.full
@pytest.mark.timeout(300)
def test_fast_leaks_are_found_and_nothing_else_fails(capsys: pytest.CaptureFixture[str]) -> None:
    holds = prove(Plan(runs=1, seconds=95, speed=10))
    printed = capsys.readouterr().out
    assert holds, printed
    assert "| python-leak | 1 | 1 of 1 | 1 of 1 | 0 |" in printed
    assert printed.count("\n| ") == len(MODES) + 1
