"""Test the parts of the live view: current rule outcomes, the pipe between processes, and lines of any width."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from rich.console import Console

from loadgate.live.channel import StateReader, StateWriter
from loadgate.live.display import FIRST_LINE_S, PLAIN_INTERVAL_S, PlainDisplay, display_on
from loadgate.live.plain import PLAIN_COLUMNS, RuleChanges, plain_line
from loadgate.live.rules import LiveRules
from loadgate.live.state import LiveState, newest_failure
from loadgate.live.view import live_view
from loadgate.recorder import RAMP, STEADY, FinishedRequest, Outcome, Recorder
from loadgate.rules import EvaluationContext, RuleOutcome, RuleResult, evaluate, parse_rules
from loadgate.run.document import RuleRecord

START_S = 1_700_000_000
BRIEF = EvaluationContext(intervals=False)


def nothing() -> None:
    """No user waits."""


def fill(recorder: Recorder, second: int, latency_ms: float, stage: str = STEADY, failed: bool = False) -> None:
    for number in range(20):
        outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
        start_s = START_S + second + number / 100
        recorder.record(FinishedRequest("ping", outcome, start_s=start_s, latency_ms=latency_ms, group="health"), stage)


def test_repeated_evaluations_equal_the_verdict() -> None:
    recorder = Recorder()
    rules = parse_rules(["health: p95 < 100ms", "ping: p50 < 50ms", "overall: failures < 1%", "health: requests > 900"])
    live = LiveRules(rules, recorder)
    for second in range(50):
        fill(recorder, second, 20 + 3 * second, RAMP if second < 10 else STEADY, failed=second % 7 == 6)
        results = live.results(BRIEF, START_S + second + 1, nothing)
    whole = evaluate(rules, recorder, BRIEF).results
    assert [(r.outcome, r.value, r.samples, r.stages, r.reason) for r in results] == [
        (r.outcome, r.value, r.samples, r.stages, r.reason) for r in whole
    ]


def test_a_measure_of_an_earlier_second_counts() -> None:
    recorder = Recorder()
    live = LiveRules(parse_rules(["first: max < 20ms"]), recorder)
    for value_ms in (10.0, 30.0):
        recorder.record_measure("First", value_ms, at_s=START_S, group="first")
        (result,) = live.results(BRIEF, START_S + 5, nothing)
        assert result.value == value_ms


def test_incomplete_seconds_do_not_count_yet() -> None:
    recorder = Recorder()
    live = LiveRules(parse_rules(["health: requests > 10"]), recorder)
    fill(recorder, 0, 10)
    fill(recorder, 1, 10)
    assert live.results(BRIEF, START_S + 1, nothing)[0].value == 20
    assert live.results(BRIEF, START_S + 1, nothing)[0].value == 20
    assert live.results(BRIEF, START_S + 2, nothing)[0].value == 40


def test_a_failed_window_stays_failed_except_in_the_ramp() -> None:
    recorder = Recorder()
    live = LiveRules(parse_rules(["health: p95 < 100ms over 2s"]), recorder)

    def outcomes(seconds: range, latency_ms: float, stage: str) -> set[RuleOutcome]:
        found = set()
        for second in seconds:
            fill(recorder, second, latency_ms, stage)
            found.add(live.results(BRIEF, START_S + second + 1, nothing)[0].outcome)
        return found

    assert RuleOutcome.FAIL in outcomes(range(4), 500, RAMP)
    outcomes(range(4, 50), 10, STEADY)
    assert outcomes(range(50, 52), 10, STEADY) == {RuleOutcome.PASS}
    assert RuleOutcome.FAIL in outcomes(range(52, 56), 500, STEADY)
    assert outcomes(range(56, 120), 10, STEADY) == {RuleOutcome.FAIL}


STATE = LiveState(
    rules_at_end=[],
    profile="heavy",
    host="http://x",
    stage="steady",
    elapsed_s=83.4,
    planned_s=600.0,
    is_stopping=False,
    users=50,
    requests=12_345,
    failures=7,
    newest_failure="",
    requests_per_s=148.2,
    failures_per_s=0.4,
    cpu_share=0.42,
    cpu_limit_share=0.9,
    rules=[
        RuleRecord.of(RuleResult(rule, RuleOutcome(outcome), "why", value, 500))
        for rule, value, outcome in zip(
            parse_rules(f"{scope}: p95 < 100ms" for scope in ("health", "auth with a long name", "tasks")),
            (52.4, 1625.0, None),
            ("pass", "fail", "inconclusive"),
            strict=True,
        )
    ],
    resources=[],
)


def test_the_latest_state_is_read_from_the_pipe() -> None:
    read, write = os.pipe()
    writer, reader = StateWriter(write), StateReader(read)
    assert reader.latest() is None
    writer.write(STATE)
    writer.write(STATE.model_copy(update={"users": 51}))
    assert reader.latest() == STATE.model_copy(update={"users": 51})
    assert reader.latest() is None
    os.close(read)
    writer.write(STATE)  # the reader is gone, and the run continues
    os.close(write)


def test_a_slow_reader_does_not_block_the_writer_and_reads_complete_states() -> None:
    read, write = os.pipe()
    writer, reader = StateWriter(write), StateReader(read)
    wide = STATE.model_copy(update={"host": "x" * 10_000})
    for users in range(100):
        writer.write(wide.model_copy(update={"users": users}))
    latest = reader.latest()
    assert latest is not None
    assert latest.host == wide.host
    for users in range(100, 103):
        writer.write(wide.model_copy(update={"users": users}))
    after = reader.latest()
    assert after is not None
    assert after.users == 102
    os.close(read)
    os.close(write)


def drawn(columns: int, lines: int = 24, state: LiveState = STATE) -> list[str]:
    out = StringIO()
    Console(file=out, width=columns, height=lines, color_system=None).print(live_view(state, columns, lines))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("columns", [20, 37, 64, 77, 200])
def test_the_view_fits_any_width(columns: int) -> None:
    rows = drawn(columns)
    assert max(map(len, rows)) <= columns
    text = " ".join(" ".join(rows).split())
    assert "7 failed" in text
    assert "generator CPU 42.0 %" in text
    if columns >= 37:
        assert "1:23, 8:36 left" in text
        assert "52.4" in text
        assert "1,625" in text
        assert "< 100 ms" in text


def test_the_view_fits_any_height_and_shows_failed_rules_first() -> None:
    many = STATE.model_copy(update={"rules": STATE.rules * 10})
    rows = drawn(80, 12, many)
    assert len(rows) <= 12
    assert "auth with a long name" in "".join(rows[2:4])
    assert "and 24 more rules" in rows[-1]


def test_the_newest_failure_is_shown_if_there_is_room() -> None:
    failing = STATE.model_copy(update={"newest_failure": "Login: returned 500, expected 200 " + "x" * 500})
    rows = drawn(80, 12, failing)
    assert rows[2].startswith("newest failure: Login: returned 500, expected 200 ")
    assert max(map(len, rows)) == 80
    assert len(rows) <= 12
    assert "newest failure" not in "".join(drawn(80, 10, failing))
    assert "newest failure" not in "".join(drawn(80, 12))
    line = plain_line(failing)
    assert " | 7 failed, newest: Login: returned 500," in line
    assert len(line) == PLAIN_COLUMNS
    wide = failing.model_copy(update={"stage": "a stage with a long name " * 2})
    assert "newest" not in plain_line(wide)


def test_the_newest_failure_is_the_last_one() -> None:
    recorder = Recorder()
    for second, text in ((2, "second\nline"), (1, "first"), (0, "second\nline")):
        recorder.record(FinishedRequest("ping", Outcome.FAILURE, START_S + second, 5.0, error=text))
    assert newest_failure(recorder) == "ping: second line"
    assert newest_failure(Recorder()) == ""


def test_the_view_of_a_run_without_a_planned_end() -> None:
    assert "heavy 1:23" in drawn(80, state=STATE.model_copy(update={"planned_s": None}))[0]
    assert "waiting for the last responses" in drawn(80, state=STATE.model_copy(update={"is_stopping": True}))[0]


def test_a_plain_line_is_short() -> None:
    assert plain_line(STATE) == "1:23/10:00 | steady | 50 users | 12,345 requests (148/s) | 7 failed"
    assert len(plain_line(STATE.model_copy(update={"stage": "x" * 200}))) == PLAIN_COLUMNS


def test_a_rule_is_printed_if_its_outcome_changes() -> None:
    changes = RuleChanges()
    passed, failed, unknown = STATE.rules
    assert changes.lines(STATE.rules) == [
        "  pass: health p95 52.4 ms < 100 ms",
        "  FAIL: auth with a long name p95 1,625 ms < 100 ms",
    ]
    assert changes.lines(STATE.rules) == []
    again = passed.model_copy(update={"outcome": RuleOutcome.INCONCLUSIVE, "value": None})
    assert changes.lines([again, failed, unknown]) == ["  inconclusive: health p95 - < 100 ms"]
    wide = failed.model_copy(update={"rule": "x", "scope": "x" * 200})
    assert [len(line) for line in changes.lines([wide])] == [PLAIN_COLUMNS]


def test_plain_lines_are_printed_at_intervals() -> None:
    out, now = StringIO(), [0.0]
    display = PlainDisplay(out, lambda: now[0])
    for second in range(30):
        now[0] = float(second)
        display.show(STATE)
    lines = [line for line in out.getvalue().splitlines() if not line.startswith("  ")]
    assert lines == [plain_line(STATE)] * (1 + int((29 - FIRST_LINE_S) // PLAIN_INTERVAL_S))
    # The outcomes have not changed since the first line.
    assert len(out.getvalue().splitlines()) == len(lines) + 2


def test_only_a_terminal_is_drawn_on() -> None:
    assert not display_on(StringIO(), {"TERM": "xterm"}).takes_output


def test_the_view_names_the_rules_that_are_judged_at_the_end() -> None:
    growth = ["api: memory growth < 5MB/h", "auth: recovery < 30s after rush"]
    some = STATE.model_copy(update={"rules_at_end": growth})
    assert drawn(80, state=some)[-1].rstrip() == f"judged at the end: {growth[0]}, {growth[1]}"
    assert drawn(40, state=some)[-1].rstrip() == "judged at the end: api: memory growth <…"
    many = some.model_copy(update={"rules": STATE.rules * 10})
    rows = drawn(80, 12, many)
    assert len(rows) <= 12
    assert rows[-1].startswith(f"and 25 more rules; judged at the end: {growth[0]}, auth: ")
