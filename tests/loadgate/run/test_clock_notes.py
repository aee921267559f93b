"""The sentences on the clocks of workers."""

from __future__ import annotations

import pytest

from loadgate.run.clock_notes import clock_notes
from loadgate.run.document.environment import ClockRecord
from tests.loadgate.run.generator_records import generator

TAIL = "; the times of its requests are converted to the master's"


def notes(**clock: float) -> list[str]:
    usual = {"skew_s": 0.2, "error_s": 0.002, "drift_ppm": 20.0, "set_by_s": 0.0, "jump_s": 0.0}
    return clock_notes([generator("master"), generator("worker 1", clock=ClockRecord(**usual | clock))])


def test_usual_clocks_have_no_sentence() -> None:
    assert notes() == []
    assert clock_notes([generator("master")]) == []


@pytest.mark.parametrize(
    ("clock", "says"),
    [
        ({"skew_s": 200.0}, "was 3 min 20 s behind the master's"),
        ({"skew_s": -7.0}, "was 7 s ahead of the master's"),
        ({"drift_ppm": -153.2}, "drifted from the master's by at least 153 ppm"),
        ({"set_by_s": 7.0}, "was set forward by 7 s during the run"),
        ({"set_by_s": -0.3}, "was set back by 0.3 s during the run"),
        (
            {"error_s": 0.0805},
            "could be compared with the master's only to ±80.5 ms, because their messages were slow",
        ),
        (
            {"jump_s": -2.0},
            (
                "differed by 2 s from one comparison with the master's to the next, so times up to 10 s before that "
                "can be wrong by as much"
            ),
        ),
    ],
)
def test_each_problem_has_a_clause(clock: dict[str, float], says: str) -> None:
    assert notes(**clock) == [f"the clock of worker 1 {says}{TAIL}"]


def test_a_worker_has_one_sentence_for_all_its_problems() -> None:
    (note,) = notes(skew_s=7.0, set_by_s=6.0, drift_ppm=150.0)
    assert note == (
        "the clock of worker 1 was 7 s behind the master's, drifted from the master's by at least 150 ppm, "
        f"was set forward by 6 s during the run{TAIL}"
    )
