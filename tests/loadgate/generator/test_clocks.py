"""The clock of a worker that follows its master's."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from loadgate.generator import clocks
from loadgate.generator.clocks import MasterClock
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.recorder.request import Measure
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile

PLAN = Plan(LoadProfile(name="x"), (), "http://x", 1, 1.0, 60.0, 10.0, 1, {"User": 1})


class MadeTime:
    """A worker whose wall clock is `skew_s` ahead, and its master."""

    def __init__(self, skew_s: float) -> None:
        self.true_s, self.skew_s = 1_000_000.0, skew_s

    def time(self) -> float:
        return self.true_s + self.skew_s

    def monotonic(self) -> float:
        return self.true_s - 900_000


class Master:
    """Answers each message of the worker, 2 ms after it was sent. `lost` messages have no answer."""

    def __init__(self, made: MadeTime, lost: int = 0) -> None:
        self.made, self.lost, self.asked = made, lost, 0
        self.clock = MasterClock(self.take)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        assert (kind, list(data)) == (clocks.CLOCK, ["number"])
        self.asked += 1
        if self.asked <= self.lost:
            return
        self.made.true_s += 0.001
        answer = {**data, "received_s": self.made.true_s, "answered_s": self.made.true_s}
        self.made.true_s += 0.001
        self.clock.take_answer(answer)
        self.clock.take_answer(answer | {"received_s": 5.0})  # a second copy does not count

    def follow(self) -> None:
        self.clock.start()
        asked = self.asked
        with gevent.Timeout(20):
            while not self.clock.is_known or self.asked < asked + clocks.BURST:
                gevent.sleep(0.001)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeTime:
    made = MadeTime(7.0)
    monkeypatch.setattr(clocks, "time", made)
    monkeypatch.setattr(clocks, "PAUSE_S", 0.0)
    monkeypatch.setattr(clocks, "INTERVAL_S", 0.0)
    monkeypatch.setattr(clocks, "LOST_AFTER_S", 0.01)
    return made


def test_a_worker_has_the_masters_time(made: MadeTime) -> None:
    master = Master(made)
    assert (master.clock.is_known, master.clock.now_s(), master.clock.record()) == (False, made.time(), None)
    master.follow()
    assert master.clock.now_s() == pytest.approx(made.true_s)
    assert master.clock.shift_s() == pytest.approx(-7)
    record = master.clock.record()
    assert record is not None
    assert (record.skew_s, record.set_by_s, record.jump_s) == (pytest.approx(-7), 0, 0)
    assert record.error_s == pytest.approx(0.001, abs=1e-5)


def test_lost_messages_do_not_prevent_a_comparison(made: MadeTime) -> None:
    master = Master(made, lost=clocks.BURST + 3)
    master.follow()
    assert master.clock.now_s() == pytest.approx(made.true_s)


def test_a_wall_clock_that_is_set_changes_nothing_but_is_named(made: MadeTime) -> None:
    master = Master(made)
    master.follow()
    made.skew_s -= 60
    assert master.clock.now_s() == pytest.approx(made.true_s)
    record = master.clock.record()
    assert record is not None
    assert (record.set_by_s, record.skew_s) == (-60, pytest.approx(53))
    master.clock.begin_run()
    record = master.clock.record()
    assert record is not None
    assert record.set_by_s == 0


def test_everything_that_a_worker_records_has_the_masters_time(made: MadeTime) -> None:
    master = Master(made)
    master.follow()
    run = Run(PLAN, clock=master.clock)
    run.enter_stage("steady")
    there_s = made.true_s
    made.true_s += 2
    start_s = there_s + made.skew_s + 1
    run.record_request(FinishedRequest("ping", Outcome.FAILURE, start_s, 30, error="HTTP 500"))
    run.record_measure(Measure("first", "", 12, start_s))
    run.record_lag("wake-up", 1)
    assert run.recorder.span_s() == (pytest.approx(there_s, abs=1.1), pytest.approx(there_s + 2, abs=1.1))
    (error,) = run.recorder.errors()
    assert there_s + 1 <= error.last_s < there_s + 1.1
    assert {row["stage"] for row in run.recorder.to_json()["series"]} == {"steady"}
    assert run.rejected_samples.count == 0
