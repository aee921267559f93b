"""Why a generator process is saturated, and which process could not send requests."""

from __future__ import annotations

from typing import Any

import pytest

from loadgate.recorder import Recorder
from loadgate.run.health import saturation
from loadgate.run.judgement import UNSENT, Ending, RunFacts, judge, unsent_notes
from tests.loadgate.run.generator_records import generator

PORTS = "local ports (spread the load over more machines or addresses)"
LIMITS = {"throttled_limit_share": 0.1}


def test_a_healthy_process_has_no_problem() -> None:
    assert saturation(generator("worker 1", throttled_peak_share=0.1, steal_peak_share=0.3, **LIMITS)) is None
    assert saturation(generator("worker 1", throttled_peak_share=0.5)) is None, "an older document has no limits"


@pytest.mark.parametrize(
    ("figures", "problem"),
    [
        (
            {"throttled_peak_share": 0.23},
            (
                "generator worker 1 was throttled by the CPU limit of its container in 23.0 % of the limit's periods "
                "over 10 s (limit 10 %); raise it"
            ),
        ),
        (
            {"steal_peak_share": 0.14, "lag_p99_ms": 400.0},
            (
                "generator worker 1 had an event-loop lag of at least 400 ms in 1 % of the samples (limit 250 ms); "
                "its machine lost 14.0 % of its CPU time to other virtual machines over 10 s"
            ),
        ),
        (
            {"steal_peak_share": 0.04, "lag_p99_ms": 400.0},
            (
                "generator worker 1 had an event-loop lag of at least 400 ms in 1 % of the samples (limit 250 ms); "
                "its machine had too little free CPU time to measure correctly"
            ),
        ),
        (
            {"throttled_peak_share": 0.23, "lag_p99_ms": 400.0},
            (
                "generator worker 1 was throttled by the CPU limit of its container in 23.0 % of the limit's periods "
                "over 10 s (limit 10 %); raise it"
            ),
        ),
    ],
)
def test_lost_cpu_time_is_named_with_its_effect(figures: dict[str, Any], problem: str) -> None:
    assert saturation(generator("worker 1", **LIMITS | figures)) == problem


def test_requests_without_a_local_port_are_the_generators_and_name_the_worker() -> None:
    recorder = Recorder()
    recorder.count(UNSENT + PORTS, 340)
    by = {"master": {}, "worker 0": {PORTS: 300}, "worker 1": {PORTS: 40}}
    facts = RunFacts(Ending.COMPLETED, (0.0, 10.0), 10.0, unsent_by=by)
    verdict = judge([], recorder, facts)
    assert verdict.notes[0] == (
        f"the load generator ran out of {PORTS}: 340 requests were never sent (worker 0: 300, worker 1: 40)"
    )
    assert recorder.errors() == []


def test_a_single_process_is_not_named() -> None:
    (note,) = unsent_notes({UNSENT + PORTS: 3}, {"process": {PORTS: 3}})
    assert note.endswith(": 3 requests were never sent")
