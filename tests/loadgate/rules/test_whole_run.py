"""Test rules that are known only at the end: growth and lifetime of resources, recovery, comparison of stages."""

from __future__ import annotations

import random

import pytest

from loadgate.recorder import FinishedRequest, Outcome, Recorder
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, WholeRun, evaluate_rule, parse_rules

START_S = 1_777_593_600
MINUTES = 30
MEMORY = ResourceColumn("api", "memory", ColumnKind.LEVEL, ResourceUnit.BYTES)
BLOCKS = ResourceColumn("api", "python_blocks")
FILES = ResourceColumn("api", "open_files")


def resources(bytes_per_hour: float = 0.0, blocks_per_hour: float = 0.0) -> ResourceRecord:
    """Half an hour of an API, with the noise of a real process."""
    record, rnd = ResourceRecord(), random.Random(3)
    for second in range(MINUTES * 60):
        record.put(
            START_S + second,
            {
                MEMORY: 2e8 + bytes_per_hour * second / 3600 + rnd.randrange(300_000),
                BLOCKS: 1e6 + blocks_per_hour * second / 3600 + rnd.randrange(2000),
                FILES: 40,
            },
        )
    return record


def result(line: str, record: ResourceRecord, recorder: Recorder | None = None, **facts: object) -> RuleResult:
    run = WholeRun(record, [(0.0, "steady")], (START_S, START_S + MINUTES * 60))
    (rule,) = parse_rules([line])
    return evaluate_rule(rule, recorder or Recorder(), EvaluationContext(whole_run=run))


def test_a_leak_breaks_the_limit_of_its_growth_and_its_kind_is_named() -> None:
    leak = result("api: memory growth < 5MB/h", resources(60e6, 400_000))
    assert leak.outcome is RuleOutcome.FAIL
    assert leak.value == pytest.approx(60, rel=0.1)
    assert leak.interval is not None
    assert leak.interval.low is not None
    assert 5 < leak.interval.low < 60
    assert leak.reason.startswith("api memory grew by ")
    assert "Python code keeps objects" in leak.reason


def test_a_flat_memory_holds_its_limit() -> None:
    flat = result("api: memory growth < 5MB/h", resources())
    assert flat.outcome is RuleOutcome.PASS
    assert flat.samples == 60
    assert "showed no clear growth" in flat.reason


def test_the_unit_of_a_limit_is_that_of_the_quantity() -> None:
    assert "a size such as 5MB" in result("api: memory growth < 5/h", resources()).reason
    assert "its limit takes no size" in result("api: open_files growth < 5MB/h", resources()).reason
    files = result("api: open_files growth < 20/h", resources())
    assert files.outcome is RuleOutcome.PASS
    assert files.reason.startswith("api open files showed no clear growth")


def test_a_lifetime_is_compared_with_the_room_below_the_capacity() -> None:
    record = resources(24e6)  # 0.576 GB a day
    assert result("api: memory lasts > 10h of 1GB", record).outcome is RuleOutcome.PASS
    short = result("api: memory lasts > 7d of 1GB", record)
    assert short.outcome is RuleOutcome.FAIL
    assert short.value == pytest.approx(1.37, rel=0.1)
    assert "the limit of 1.00 GB will be reached in" in short.reason
    assert short.reason.endswith("; the whole 95 % interval is below 7.00 days")
    reached = result("api: memory lasts > 1h of 100MB", record)
    assert reached.outcome is RuleOutcome.FAIL
    assert reached.reason.endswith("]; the value at the end was 212 MB, and the limit is 100 MB")


def test_a_flat_memory_lasts() -> None:
    flat = result("api: memory lasts > 7d of 10GB", resources())
    assert flat.outcome is RuleOutcome.PASS
    assert "showed no clear growth" in flat.reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("worker: memory growth < 5MB/h", "the resource 'worker' was not measured; measured resources: api"),
        (
            "api: threads growth < 1/h",
            "'threads' of 'api' was not measured; its measured quantities: memory, python_blocks, open_files",
        ),
    ],
)
def test_what_was_not_measured_is_inconclusive(line: str, reason: str) -> None:
    found = result(line, resources())
    assert found.outcome is RuleOutcome.INCONCLUSIVE
    assert found.reason.startswith(reason)


def test_the_reason_says_why_nothing_was_measured() -> None:
    record = ResourceRecord()
    record.notes.append("the host is another machine")
    found = result("api: memory growth < 5MB/h", record)
    assert found.outcome is RuleOutcome.INCONCLUSIVE
    assert found.reason == "the resource 'api' was not measured; no resource was measured (the host is another machine)"


def test_a_short_run_cannot_show_a_growth() -> None:
    record = ResourceRecord()
    for second in range(60):
        record.put(START_S + second, {MEMORY: 2e8})
    found = result("api: memory growth < 5MB/h", record)
    assert found.outcome is RuleOutcome.INCONCLUSIVE
    assert "60 seconds" in found.reason


def test_the_ramp_is_not_part_of_a_growth() -> None:
    record = resources()
    for second in range(120):
        record.put(START_S + second, {MEMORY: 1e7})  # the mean of the ramp's rows is much lower
    (rule,) = parse_rules(["api: memory growth < 5MB/h"])
    stages = [(0.0, "ramp"), (START_S + 120.0, "steady")]
    run = WholeRun(record, stages, (START_S, START_S + MINUTES * 60))
    assert evaluate_rule(rule, Recorder(), EvaluationContext(whole_run=run)).outcome is RuleOutcome.PASS


def test_during_a_run_these_rules_are_open() -> None:
    (rule,) = parse_rules(["api: memory growth < 5MB/h"])
    found = evaluate_rule(rule, Recorder(), EvaluationContext())
    assert (found.outcome, found.reason) == (RuleOutcome.INCONCLUSIVE, "this is known only at the end of the run")


def recorder_with(delay_ms: dict[str, float], drain_s: int = 0) -> tuple[Recorder, list[tuple[float, str]]]:
    """A minute before, a minute of rush, and two minutes after, of which the first `drain_s` seconds are slow."""
    recorder, rnd = Recorder(), random.Random(5)
    stages = [(START_S, "before"), (START_S + 60, "rush"), (START_S + 120, "after")]
    for second in range(240):
        stage = "before" if second < 60 else "rush" if second < 120 else "after"
        slow = 400.0 if 120 <= second < 120 + drain_s else 0.0
        for number in range(20):
            latency_ms = 20 * rnd.lognormvariate(0, 0.2) + delay_ms[stage] + slow
            start_s = START_S + second + number / 20 - latency_ms / 1000
            recorder.record(FinishedRequest("x", Outcome.SUCCESS, start_s, latency_ms, group="auth"), stage)
    return recorder, [(float(since_s), stage) for since_s, stage in stages]


def in_stages(line: str, recorder: Recorder, stages: list[tuple[float, str]], unreliable: str = "") -> RuleResult:
    run = WholeRun(ResourceRecord(), stages, (START_S, START_S + 240), unreliable)
    (rule,) = parse_rules([line])
    return evaluate_rule(rule, recorder, EvaluationContext(whole_run=run))


DELAYS = {"before": 0.0, "rush": 300.0, "after": 0.0}


def test_a_recovery_is_the_time_from_the_end_of_the_rush() -> None:
    made = recorder_with(DELAYS, drain_s=40)
    found = in_stages("auth: recovery < 30s after rush", *made)
    assert found.outcome is RuleOutcome.FAIL
    assert found.value == pytest.approx(40, abs=5)
    assert in_stages("auth: recovery < 60s after rush", *made).outcome is RuleOutcome.PASS
    assert in_stages("auth: recovery <= 41s after rush", *made).outcome is RuleOutcome.INCONCLUSIVE


def test_two_stages_are_compared() -> None:
    made = recorder_with(DELAYS)
    slower = recorder_with({**DELAYS, "after": 20.0})
    assert in_stages("auth: p95 after < 1.2x before", *made).outcome is RuleOutcome.PASS
    found = in_stages("auth: p95 after < 1.2x before", *slower)
    assert found.outcome is RuleOutcome.FAIL
    assert found.value == pytest.approx(1.7, abs=0.15)
    unreliable = in_stages("auth: p95 after < 1.2x before", *made, "the generator stalled")
    assert (unreliable.outcome, unreliable.reason) == (RuleOutcome.INCONCLUSIVE, "the generator stalled")
