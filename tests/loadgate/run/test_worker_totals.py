"""Test that a run whose workers counted other totals than their reports contain is not a pass."""

from __future__ import annotations

import time
from typing import Any

import pytest

from loadgate.recorder import FinishedRequest, Outcome
from loadgate.recorder.reports import RequestCounts
from loadgate.rules import RuleOutcome, parse_rules
from loadgate.run.document.environment import GeneratorRecord
from loadgate.run.judgement import judge
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile

RULES = tuple(parse_rules(["overall: requests > 1"]))
PLAN = Plan(LoadProfile(name="x"), RULES, "http://x", 1, 1.0, 60.0, 10.0, 1, {"User": 1})


def reports_of_a_worker() -> list[dict[str, Any]]:
    """Three reports: two with 10 requests each, of which one failed, and the final one."""
    worker, reports = Run(PLAN), []
    for _ in range(2):
        for number in range(10):
            outcome = Outcome.SUCCESS if number else Outcome.FAILURE
            worker.record_request(FinishedRequest("ping", outcome, time.time() - 0.01, 5.0))
        reports.append(worker.take_report(final=False))
    return [*reports, worker.take_report(final=True)]


def judged(reports: list[dict[str, Any]]) -> tuple[Run, RuleOutcome, tuple[str, ...]]:
    """Let a master merge these reports and judge the run."""
    master = Run(PLAN)
    master.workers.introduce("0", "load-1", 12)
    for report in reports:
        master.workers.note_report("0", RequestCounts(*report["counted"]), 0)
        master.merge_report(report, "0")
    verdict = judge(RULES, master.recorder, master.facts())
    return master, verdict.outcome, verdict.notes


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 1, 2, 2, 0)])
def test_reports_in_any_order_and_number_add_up_to_the_totals_of_the_worker(order: tuple[int, ...]) -> None:
    reports = reports_of_a_worker()

    master, outcome, notes = judged([reports[number] for number in order])

    assert (outcome, notes) == (RuleOutcome.PASS, ())
    assert master.recorder.merged("0") == master.workers.known["0"].counted == (20, 2)
    assert master.workers.finished == {"0"}


def test_a_worker_that_counted_more_prevents_a_pass() -> None:
    reports = reports_of_a_worker()
    reports[-1]["counted"] = [23, 2]

    _, outcome, notes = judged(reports)

    assert outcome is RuleOutcome.INCONCLUSIVE
    assert notes == (
        "worker 0 (load-1, pid 12) counted 23 requests (2 failed), but its reports contain 20 requests (2 failed)",
    )


def test_a_lost_report_is_named_and_is_a_difference() -> None:
    reports = reports_of_a_worker()

    master, outcome, notes = judged([reports[0], reports[2]])

    assert outcome is RuleOutcome.INCONCLUSIVE
    assert notes == (
        "worker 0 (load-1, pid 12): 1 of its reports did not arrive, so its latest requests are missing",
        "worker 0 (load-1, pid 12) counted 20 requests (2 failed), but its reports contain 10 requests (1 failed)",
    )
    assert master.workers.finished == set()


def test_the_health_of_a_report_that_arrives_late_does_not_replace_a_later_one() -> None:
    reports = reports_of_a_worker()
    for number, report in enumerate(reports):
        health = GeneratorRecord(
            process="worker 0",
            cpu_mean_share=0.1,
            cpu_peak_share=0.1,
            lag_p99_ms=1.0,
            lag_max_ms=1.0,
            lag_samples=100 * number,
            cpu_limit_share=0.9,
            lag_limit_ms=250.0,
            problem=None,
        )
        report["health"] = [health.model_dump()]

    master, _, _ = judged([reports[2], reports[0], reports[1]])

    assert master.health["worker 0"].lag_samples == 200
