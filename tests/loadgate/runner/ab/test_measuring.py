"""Test the order of segments, what is compared, and what a segment takes from its run."""

from __future__ import annotations

from itertools import islice

import pytest

from loadgate.analysis.ab.segments import Margins, Measure, MeasureKind, Metric
from loadgate.recorder import RAMP, STEADY
from loadgate.recorder.resources import ResourceColumn, ResourceRecord
from loadgate.run.document import ResourcesRecord, RunDocument, TargetRecord
from loadgate.runner.ab.control import Answer, control_latency
from loadgate.runner.ab.measures import WITHOUT_RULES, Seen, check_rule, comparison_of, measures_of
from loadgate.runner.ab.memory import memory_growth
from loadgate.runner.ab.order import side_orders
from loadgate.runner.ab.request import AbError, AbRequest
from loadgate.runner.ab.segments import request_rate, segment_of
from loadgate.runner.headless import problem_of
from tests.support.synthetic_run import RAMP_S, Synthetic, synthetic_document

P95 = Measure("pages", MeasureKind.PERCENTILE, 95.0)


@pytest.fixture
def document() -> RunDocument:
    return synthetic_document(Synthetic(duration_s=120, names=3))


def seen_in(*documents: RunDocument) -> Seen:
    seen = Seen()
    for document in documents:
        seen.add(document)
    return seen


def test_the_growth_of_memory_decides_instead_of_the_rules(document: RunDocument) -> None:
    growth = memory_growth(document)
    assert growth
    comparison, uncompared = comparison_of(seen_in(document), Margins(), (10, 20), Metric.MEMORY)
    assert comparison.rules == tuple(Measure(name, MeasureKind.MEMORY) for name in growth)
    assert Measure("group 0", MeasureKind.PERCENTILE, 95.0) in comparison.others
    assert uncompared == []


def test_memory_after_a_collection_is_compared_if_it_is_known() -> None:
    document = synthetic_document(Synthetic(duration_s=30, names=1))
    requests = document.totals.overall.requests
    record = ResourceRecord()
    for second, (memory, collected) in enumerate([(1e6, 9e5), (5e6, None), (9e6, 9e5 + 7 * requests)]):
        values = {("api", "memory"): memory, ("api", "memory.collected"): collected, ("worker", "memory"): memory}
        record.put(1000 + second, {ResourceColumn(*name): value for name, value in values.items()})
    document = document.model_copy(update={"resources": ResourcesRecord.of(record)})
    assert memory_growth(document) == {"api": pytest.approx(7), "worker": pytest.approx(8e6 / requests)}


def test_a_request_name_that_is_missing_in_some_runs_is_shown() -> None:
    few, many = (synthetic_document(Synthetic(duration_s=30, names=number)) for number in (2, 4))
    comparison, _ = comparison_of(seen_in(few, many, few), Margins(), (10, 20))
    assert len(comparison.names) == 4


@pytest.mark.parametrize("pairs", [2, 3, 10])
def test_each_side_is_first_equally_often_in_an_order_that_depends_on_the_seed(pairs: int) -> None:
    orders = [tuple(islice(side_orders(pairs, seed), 2 * pairs)) for seed in range(20)]
    for order in orders:
        assert abs(order[:pairs].count(("base", "head")) - pairs / 2) <= 0.5
        assert order.count(("base", "head")) == order.count(("head", "base")) == pairs
    assert len(set(orders)) > 1
    assert orders[7] == tuple(islice(side_orders(pairs, 7), 2 * pairs))


def test_rules_with_equal_measures_are_compared_once_and_others_are_named() -> None:
    rules = [
        "pages: p95 < 100ms",
        "pages: p95 < 2s over 10s",
        "pages: p95 < 3s in ramp",
        "Front page: mean < 50ms",
        "overall: failures < 1%",
        "pages: p95 after < 1.5x before",
        "overall: requests > 10",
        "api: memory growth < 1MB/h",
    ]
    measures, uncompared = measures_of(rules)
    assert [str(measure) for measure in measures] == ["pages: p95", "Front page: mean", "overall: failures"]
    assert [(item.rule, item.reason) for item in uncompared] == [
        (rules[5], "a ratio of stages is not a percentile, the mean or the failures"),
        (rules[6], "requests is not a percentile, the mean or the failures"),
        (rules[7], "memory growth is not a percentile, the mean or the failures"),
    ]


def test_other_measures_are_shown_beside_those_of_the_rules(document: RunDocument) -> None:
    comparison, uncompared = comparison_of(seen_in(document, document), Margins(), (10, 20))
    scopes = [measure.scope for measure in comparison.rules]
    assert scopes[-1] == "overall"
    assert uncompared == []
    assert not set(comparison.rules) & set(comparison.others)
    shown = {str(measure) for measure in comparison.others}
    assert {f"{scopes[0]}: p50", f"{scopes[0]}: p99.9", f"{scopes[0]}: mean", "overall: p95"} <= shown
    assert set(comparison.names) == {item.name for item in document.totals.requests}


def test_without_rules_the_latency_and_the_failures_of_all_requests_decide(document: RunDocument) -> None:
    without = document.model_copy(update={"verdict": document.verdict.model_copy(update={"rules": []})})
    comparison, _ = comparison_of(seen_in(without), Margins(), (10, 20))
    assert [str(measure) for measure in comparison.rules] == ["overall: p95", "overall: failures"]


def test_a_segment_is_the_measured_part_of_its_run(document: RunDocument) -> None:
    segment = segment_of(document, 100.0, 1.5)
    recorder = document.recording.recorder()
    steady = recorder.totals(stages={STEADY})
    assert segment.scopes["overall"].requests == steady.requests
    assert segment.scopes["overall"].failures == steady.failures
    assert recorder.totals(stages={RAMP}).requests > 0
    assert set(segment.scopes) == {"overall", *recorder.groups(), *recorder.names()}
    assert (segment.rate_per_s, segment.control_ms, segment.problem) == (100.0, 1.5, "")
    assert request_rate(document) == pytest.approx(steady.requests / (120 - RAMP_S))


def test_arrivals_that_started_nothing_are_no_load(document: RunDocument) -> None:
    lost = {"arrivals_dropped": 1000, "arrivals_never_started": 200, "arrivals_late": 5000}
    segment = segment_of(document.model_copy(update={"counters": lost}), 100.0, None)
    assert segment.rate_per_s == 90.0
    assert segment.problem.startswith("200 arrivals never started and 1,000 were dropped")
    assert segment.is_fault


def test_a_run_that_cannot_be_compared_says_why(document: RunDocument) -> None:
    assert problem_of(document) == ("", False)
    ended = TargetRecord(command=["x"], url="http://x", ended="the target ended with exit code 3; its last lines:\n  x")
    assert problem_of(document.model_copy(update={"target": ended})) == ("the target ended with exit code 3", True)
    saturated = synthetic_document(Synthetic(duration_s=120, names=3, saturated=True))
    problem, is_fault = problem_of(saturated)
    assert problem.startswith("the load generator was saturated (")
    assert not is_fault


def test_the_control_stands_for_the_measured_part() -> None:
    answers = [Answer(float(second), 100.0 if second < 5 else 1.0 + second / 100) for second in range(25)]
    assert control_latency(answers, 5, 25) == 1.07
    assert control_latency(answers, 30, 40) is None


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (AbRequest(head_url="http://localhost:1"), "must be given together; "),
        (AbRequest(margins=Margins(ignore=0.2)), r"--ignore \(20 %\) must be below --worse \(10 %\)"),
        (
            AbRequest(margins=Margins(ignore_ms=float("nan"))),
            "--ignore-ms NaN: must be 0 or a positive number of milliseconds",
        ),
        (AbRequest(margins=Margins(ignore_ms=-1.0)), "--ignore-ms -1: must be 0 or a positive number of milliseconds"),
        (AbRequest(rate="10..20/s over 5s"), "a comparison needs a constant rate, such as 50/s$"),
        (AbRequest(rate="30"), "'30' is not an arrival rate; write a rate such as 50/s or 90/min$"),
        (
            AbRequest(measure_s=0.5, settle_s=1),
            "^--settle 1s and --measure 500ms are 1.5 s together; ",
        ),
        (AbRequest(seed=-1), "^--seed -1: must be from 0 to 2147483647$"),
    ],
)
def test_a_wrong_request_is_one_line(request_: AbRequest, message: str) -> None:
    with pytest.raises(AbError, match=message) as error:
        request_.check()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rules", "wanted", "judged"),
    [
        (["pages: p95 < 1s", "pages: requests > 5"], Measure("pages", MeasureKind.MEAN), "pages: p95"),
        (["pages: requests > 5"], Measure("pages", MeasureKind.PERCENTILE, 95.0), "overall: p95, overall: failures"),
    ],
)
def test_a_rule_that_the_profile_does_not_have_is_refused(rules: list[str], wanted: Measure, judged: str) -> None:
    refusal = f"profile light has no rule for {wanted}; give one of these rules: {judged}"
    with pytest.raises(AbError, match=f"^{refusal}$"):
        check_rule(wanted, "light", rules)
    check_rule((measures_of(rules)[0] or WITHOUT_RULES)[0], "light", rules)
