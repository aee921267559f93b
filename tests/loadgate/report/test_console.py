"""Test the output at the end of a run: complete at any width, and with the failures."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from loadgate.recorder import FinishedRequest, Outcome
from loadgate.report.cause import breach_lines, breach_sentence, failure_lines
from loadgate.report.console import verdict_text
from loadgate.run.state import Run
from loadgate.terminal import COLOUR_VARIABLE, decorated, terminal_columns
from tests.loadgate.report.runs import STARTED_S, bare_run
from tests.support.run_documents import as_json, document_of, judged
from tests.support.synthetic_run import Synthetic, synthetic_document

SMALL = Synthetic(duration_s=40, names=4)


def run_of(
    latencies_ms: dict[str, list[float]], *rules: str, failures: dict[tuple[str, str], int] | None = None
) -> Run:
    run = bare_run(rules=list(rules))
    for name, values in latencies_ms.items():
        for index, value in enumerate(values):
            start_s = STARTED_S + 1 + index % 50
            run.recorder.record(
                FinishedRequest(name, Outcome.SUCCESS, start_s=start_s, latency_ms=value, group="web"), "steady"
            )
    for (name, text), count in (failures or {}).items():
        for index in range(count):
            start_s = STARTED_S + 1 + index % 50
            run.recorder.record(
                FinishedRequest(name, Outcome.FAILURE, start_s=start_s, latency_ms=1, group="web", error=text), "steady"
            )
    return run


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("limit_ms", [1, 500])
def test_no_line_is_wider_than_the_terminal(columns: int, limit_ms: float) -> None:
    text = verdict_text(synthetic_document(replace(SMALL, p95_limit_ms=limit_ms)), Path("report.html"), columns)
    assert max(map(len, text.splitlines())) <= columns
    whole = verdict_text(synthetic_document(replace(SMALL, p95_limit_ms=limit_ms)), Path("report.html"))
    words = " ".join(text.split())
    assert whole.strip().splitlines()[0] in words
    for scope in ("group 0: p95", "group 3: p95", "overall: failures"):
        assert scope in words
    assert ("\n\nRULE " in text) == (columns >= 60)


def test_a_wrapped_line_keeps_numbers_with_their_units_and_paths_whole() -> None:
    path = Path("reports/performance/runs/20260501T120000Z-light/report.html")
    document = synthetic_document(replace(SMALL, p95_limit_ms=1))
    for columns in range(20, 60):
        text = verdict_text(document, path, columns)
        assert str(path) in text, columns
        assert not re.search(r"\d\n +(%|ms)", text), columns


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


PLAIN_OUTPUTS: list[tuple[StringIO, dict[str, str]]] = [
    (StringIO(), {"TERM": "xterm"}),
    (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}),
    (Terminal(), {"TERM": "dumb"}),
    (Terminal(), {"TERM": "xterm", "CI": "true"}),
]


def test_a_terminal_shows_outcomes_in_colour() -> None:
    text = verdict_text(synthetic_document(replace(SMALL, p95_limit_ms=1)), None)
    shown = decorated(text, Terminal(), {"TERM": "xterm"})
    assert shown.splitlines()[1].startswith("\x1b[1;31mFAIL\x1b[0m: ")
    assert shown.count("  \x1b[1;31mFAIL\x1b[0m\n") == 4
    assert shown.count("  \x1b[1;32mPASS\x1b[0m\n") == 1
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == text
    for out, environment in PLAIN_OUTPUTS:
        assert decorated(text, out, environment) == text
    assert decorated(text, StringIO(), {COLOUR_VARIABLE: "1"}) == shown


@pytest.mark.parametrize("line", ["report: {}", "report:\n  {}"])
def test_a_terminal_shows_a_report_as_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    page = Path("a folder/report.html")
    text = f"1 request\n{line.format(page)}\nthe end\n"
    assert decorated(text, Terminal(), {"TERM": "xterm"}) == text  # there is no such file
    page.parent.mkdir()
    page.touch()
    address = (tmp_path / "a%20folder/report.html").as_uri().replace("%25", "%")
    link = f"\x1b]8;;{address}\x1b\\{page}\x1b]8;;\x1b\\"
    assert decorated(text, Terminal(), {"TERM": "xterm"}) == text.replace(str(page), link)
    for out, environment in PLAIN_OUTPUTS:
        assert decorated(text, out, environment) == text


@pytest.mark.parametrize("columns", [None, 40, 80])
def test_the_first_line_names_the_failed_rules(columns: int | None) -> None:
    run = run_of(
        {"Slow": [250.0] * 300, "Other": [30.0] * 300}, "Slow: p95 < 200ms", "Other: max < 10ms", "web: p50 < 2ms"
    )
    lines = verdict_text(judged(run), None, columns).splitlines()
    first = " ".join(" ".join(lines[1 : lines.index("", 1)]).split())
    assert first == "FAIL: web p50 30.0 ms (limit 2 ms), Other max 30.0 ms (limit 10 ms) and 1 more rule (exit code 99)"


def test_a_pass_is_one_row_and_a_failure_has_a_reason() -> None:
    passed = verdict_text(synthetic_document(SMALL), None).splitlines()
    assert passed[1] == "PASS: all 5 rules held (exit code 0)"
    passed = passed[2:]
    assert passed[1].split() == ["RULE", "LIMIT", "MEASURED", "SAMPLES", "OUTCOME"]
    assert [line.endswith("PASS") for line in passed[2:7]] == [True] * 5
    assert passed[7] == ""
    failed = verdict_text(synthetic_document(replace(SMALL, p95_limit_ms=1)), None).splitlines()[2:]
    assert failed[2].endswith("FAIL")
    assert failed[3].startswith("  p95 was ")
    assert "above the limit of 1 ms" in failed[3]


def test_the_most_frequent_failures_are_named() -> None:
    failures = {
        ("GET /api/v1/my/endpoint", "Failed: 404"): 18,
        ("B", "b\x1b[31m\nb"): 3,
        ("C", "c" * 999): 2,
        ("D", "d"): 1,
    }
    document = judged(run_of({"A": [5.0] * 300}, "overall: failures < 1%", failures=failures))
    lines = failure_lines(document)
    assert lines[0] == "18 \N{MULTIPLICATION SIGN} GET /api/v1/my/endpoint: Failed: 404"
    assert lines[1] == "3 \N{MULTIPLICATION SIGN} B: b?[31m b"
    assert len(lines[2]) < 250
    assert lines[3:] == ["and 1 more kind of failure, in the report"]
    assert f"  {lines[0]}" in verdict_text(document, None).splitlines()
    assert failure_lines(judged(run_of({"A": [5.0]}, "web: p95 < 1s"))) == []


def test_the_requests_that_broke_a_rule_are_named_below_it() -> None:
    times_ms = {"Fast": [5.0] * 300, "Slow": [5.0] * 20 + [300.0] * 40 + [5.0] * 40}
    document = judged(run_of(times_ms, "web: p95 < 100ms", "web: p50 < 100ms"))
    failed, passed = document.verdict.rules
    sentence = breach_sentence(document, failed)
    assert sentence is not None
    assert re.fullmatch(r"Broken .*from 0:\d\d to 0:\d\d,? by Slow \(p95 300 ms.*\)\.", sentence)
    assert breach_sentence(document, passed) is None
    assert f"  {sentence}" in verdict_text(document, None).splitlines()
    assert breach_lines(document) == [f"web: p95 300 ms, limit 100 ms. {sentence}"]


def test_a_narrow_pass_has_a_reason() -> None:
    slow = dict.fromkeys(range(0, 500, 33), 99.0) | dict.fromkeys(range(20, 500, 97), 101.0)
    close = judged(run_of({"A": [slow.get(number, 50.0) for number in range(500)]}, "web: p98 < 100ms"))
    assert "so another run may differ" in verdict_text(close, None)


def test_limits_with_too_few_requests_for_an_interval_are_named_in_one_line() -> None:
    few = judged(run_of({"A": [5.0] * 25}, "web: p95 < 100ms", "overall: p95 < 100ms"))
    lines = verdict_text(few, None).splitlines()
    assert "! too few requests for a 95 % confidence interval of web: p95, overall: p95" in lines
    assert not any(line.startswith("  ") for line in lines)


def test_a_limit_of_a_stage_is_named_with_its_stage() -> None:
    few = judged(run_of({"A": [5.0] * 25}, "web: p95 < 100ms in steady"))
    assert "! too few requests for a 95 % confidence interval of web: p95 in steady" in verdict_text(few, None)


def test_a_limit_that_holds_only_without_the_ramp_has_a_reason() -> None:
    document = synthetic_document(SMALL)
    data = as_json(document)
    data["verdict"]["rules"][0] |= {"stages": "steady", "value_all_stages": 5_000.0}
    document = document_of(data)
    assert "(without the ramp; 5,000 ms with it)" in verdict_text(document, None)


@pytest.mark.parametrize(
    ("given", "columns"), [("72", 72), ("0", None), ("-5", None), ("wide", None), ("", None), ("٣", None)]
)
def test_without_a_terminal_the_width_comes_from_the_environment(given: str, columns: int | None) -> None:
    assert terminal_columns({"COLUMNS": given}) == columns
