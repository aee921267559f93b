"""Test the proof of attribution: how it judges a run."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.causes import Outcome, Row, Run, judged, outcome
from benchmarks.calibrate.injections import INJECTIONS, NOTHING, OUTSIDE, Injection
from loadgate.analysis.traffic import Span
from loadgate.run.document.conclusions import EpisodeRecord

(REDIS,) = [one for one in INJECTIONS if one.name == "Redis pauses"]
(BLOCKED,) = [one for one in INJECTIONS if one.name == "the event loop is blocked"]


def episode(cause: str | None, start_s: float = 100.0, end_s: float = 106.0) -> EpisodeRecord:
    return EpisodeRecord(
        scope="auth",
        start_s=start_s,
        end_s=end_s,
        added_ms=50.0,
        explained_by="nothing" if cause is None else "wait",
        cause=cause,
        share=None,
        sentence=f"{cause} at {start_s:g}",
    )


@pytest.mark.parametrize(
    ("injection", "causes", "expected"),
    [
        (REDIS, ["redis operations"], Outcome.RIGHT),
        (REDIS, ["redis operations", "redis operations"], Outcome.RIGHT),
        (REDIS, ["redis operations", "database wait"], Outcome.WRONG),
        (REDIS, ["redis operations", None], Outcome.NOT_EXPLAINED),
        (REDIS, [None], Outcome.NOT_EXPLAINED),
        (REDIS, [], Outcome.NO_EPISODE),
        (OUTSIDE, [None], Outcome.NOT_EXPLAINED),
        (OUTSIDE, [None, "redis operations"], Outcome.WRONG),
        (NOTHING, [], Outcome.NO_EPISODE),
        (NOTHING, ["api cpu_wait"], Outcome.WRONG),
    ],
)
def test_each_episode_of_a_trial_must_have_the_true_cause(
    injection: Injection, causes: list[str | None], expected: Outcome
) -> None:
    assert outcome(injection, [episode(cause) for cause in causes]) is expected


def test_an_episode_belongs_to_the_injection_at_its_time() -> None:
    injected = [Span(100.0, 106.0), Span(130.0, 136.0)]
    found = [episode("redis operations", 101, 109), episode(None, 120, 125), episode("database wait", 131, 140)]
    run = judged(REDIS, injected, found)
    assert run.outcomes == [Outcome.RIGHT, Outcome.WRONG]
    assert run.sentences == ["redis operations at 101", "database wait at 131"]
    assert run.others == ["None at 120"]


def test_each_case_has_its_own_outcome_and_limit() -> None:
    one_wrong = [Outcome.RIGHT] * 19 + [Outcome.WRONG]
    assert Row(REDIS, [Run(REDIS, one_wrong, [], [])]).holds
    assert not Row(REDIS, [Run(REDIS, [*one_wrong[1:], Outcome.NO_EPISODE], [], [])]).holds
    unexplained = [Outcome.NOT_EXPLAINED] * 19
    assert Row(OUTSIDE, [Run(OUTSIDE, [*unexplained, Outcome.NOT_EXPLAINED], [], [])]).holds
    assert not Row(OUTSIDE, [Run(OUTSIDE, [*unexplained, Outcome.NO_EPISODE], [], [])]).holds
    quiet = Run(NOTHING, [Outcome.NO_EPISODE], [], [])
    assert Row(NOTHING, [quiet] * 20).holds
    assert not Row(NOTHING, [*[quiet] * 19, Run(NOTHING, [Outcome.NOT_EXPLAINED], [], [])]).holds
