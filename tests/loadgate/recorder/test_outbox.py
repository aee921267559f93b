"""Test that a worker keeps its reports until they are acknowledged, and sends them again if they were lost."""

from __future__ import annotations

import random
from typing import Any

import pytest

from loadgate.recorder import Recorder
from loadgate.recorder.outbox import CONFIRM_S, MAX_KEPT, Outbox
from tests.loadgate.recorder.filling import comparable, fill, record


def test_a_report_is_sent_at_once_and_kept_until_it_is_acknowledged() -> None:
    outbox = Outbox()
    outbox.keep(0, {"number": 0})

    assert outbox.due(0.0) == [0]
    assert outbox.take_out(0, 100.0) == {"number": 0}
    assert (outbox.due(100.0), len(outbox)) == ([], 1)
    outbox.acknowledge(0)
    outbox.acknowledge(0)
    assert len(outbox) == 0


def test_a_report_is_sent_again_only_after_a_sign_of_life_of_the_master() -> None:
    outbox = Outbox()
    outbox.keep(3, {})
    outbox.take_out(3, 100.0)

    assert outbox.due(100.0 + CONFIRM_S - 0.1) == []
    assert outbox.due(100.0 + CONFIRM_S) == [3]
    outbox.take_out(3, 105.0)
    assert outbox.due(100.0 + CONFIRM_S) == []


def test_the_number_of_kept_reports_is_bounded() -> None:
    outbox = Outbox()
    for sequence in range(MAX_KEPT):
        assert not outbox.is_full
        outbox.keep(sequence, {})

    assert outbox.is_full
    outbox.acknowledge(5)
    assert not outbox.is_full


@pytest.mark.parametrize("seed", range(20))
def test_a_network_that_loses_doubles_and_reorders_reports_changes_nothing(seed: int) -> None:
    rnd = random.Random(seed)
    master, whole, worker, outbox = Recorder(), Recorder(), Recorder(), Outbox()
    on_the_way: list[dict[str, Any]] = []
    now_s, is_made, calls = 0.0, False, fill(whole, seed, count=400)
    while len(outbox) or not is_made:
        now_s += 3.0
        for call in (call for call in calls[:20]):
            record(worker, call)
        calls = calls[20:]
        if not is_made and (not outbox.is_full or not calls):
            is_made = not calls
            report = worker.take_delta(final=is_made)
            outbox.keep(report["sequence"], report)
        for sequence in outbox.due(now_s if rnd.random() < 0.7 else now_s - 10):
            report = dict(outbox.take_out(sequence, now_s))
            on_the_way += [report] * rnd.choice([0, 1, 1, 2])
        rnd.shuffle(on_the_way)
        arriving, on_the_way = on_the_way[: rnd.randrange(4)], on_the_way[3:] if rnd.random() < 0.1 else on_the_way
        for report in arriving:
            master.merge_delta(report, "0")
            if rnd.random() < 0.7:
                outbox.acknowledge(report["sequence"])

    assert comparable(master) == comparable(whole)
    assert (master.lost_reports(), master.has_all_reports("0")) == ([], True)
    assert master.merged("0").requests == 400
    assert master.merged("0").failures == master.totals().failures
