"""Test the limits of the proof of comparisons: `python -m benchmarks.calibrate.ab`."""

from __future__ import annotations

import pytest

from benchmarks.calibrate.ab import relabelled
from benchmarks.calibrate.ab.proof import Compared, Row, seeds
from benchmarks.calibrate.ab.versions import CASES, GROUP, VersionCase
from loadgate.analysis.ab.segments import Pair, ScopeCounts, Segment
from loadgate.recorder import LatencySketch
from loadgate.rules import RuleOutcome

FAIL, INCONCLUSIVE, PASS = RuleOutcome.FAIL, RuleOutcome.INCONCLUSIVE, RuleOutcome.PASS
BY_NAME = {case.name: case for case in CASES}
NULL, SLOWER = BY_NAME["no change"], BY_NAME["all requests 10 % slower"]
LITTLE = BY_NAME["all requests 3 % slower"]


@pytest.mark.parametrize(
    ("case", "outcomes"),
    [
        (NULL, [PASS] * 17 + [INCONCLUSIVE] * 3),
        (NULL, [PASS] * 18 + [FAIL] * 2),
        (SLOWER, [FAIL] * 19 + [INCONCLUSIVE]),
        (LITTLE, [INCONCLUSIVE] * 20),
    ],
)
def test_conclusions_within_the_limits(case: VersionCase, outcomes: list[RuleOutcome]) -> None:
    assert case.misses(outcomes) == []


@pytest.mark.parametrize(
    ("case", "outcomes", "missed"),
    [
        (NULL, [PASS] * 16 + [INCONCLUSIVE] * 4, "no change: 16 of 20 pass, 17 are needed"),
        (NULL, [PASS] * 17 + [FAIL] * 3, "no change: 3 of 20 fail, 2 are allowed"),
        (SLOWER, [FAIL] * 18 + [PASS] * 2, "all requests 10 % slower: 18 of 20 fail, 19 are needed"),
        (LITTLE, [PASS] * 19 + [FAIL], "all requests 3 % slower: 1 of 20 fail, 0 are allowed"),
    ],
)
def test_conclusions_beyond_a_limit_are_named(case: VersionCase, outcomes: list[RuleOutcome], missed: str) -> None:
    assert case.misses(outcomes) == [missed]


def test_the_table_counts_conclusions_and_pairs() -> None:
    compared = [Compared(NULL, PASS, 10, ""), Compared(NULL, FAIL, 20, ""), Compared(NULL, PASS, 10, "")]
    assert str(Row(NULL, compared)) == "| no change | 3 | 1 | 0 | 2 | 10 to 20 |"


def test_the_parts_of_a_proof_have_the_seeds_of_the_whole() -> None:
    assert [*seeds(10, 0), *seeds(10, 10)] == seeds(20, 0)
    assert len(set(seeds(20, 0))) == 20


def segment(level_ms: float) -> Segment:
    sketch = LatencySketch()
    for number in range(100):
        sketch.record(level_ms + number % 10)
    return Segment({GROUP: ScopeCounts(sketch, 0)}, 50.0, 1.0)


def test_relabelled_pairs_raise_alarms_at_their_level_only() -> None:
    pairs = [Pair(segment(50.0 + number % 7), segment(50.0 + number % 5)) for number in range(40)]
    found = [relabelled.relabelled(pairs, seed) for seed in range(40)]
    assert sum(any(one.alarms()) for one in found) <= 6


def test_too_few_pairs_to_relabel_are_a_miss() -> None:
    assert relabelled.prove([Pair(segment(50.0), segment(50.0))] * 19) == [
        "relabelled: 19 pairs are too few; 20 are needed"
    ]
