"""Test that artefacts escape hostile text and report what they cannot draw."""

from __future__ import annotations

import json
import re
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from loadgate.paths import write_atomically
from loadgate.recorder import FinishedRequest, Outcome
from loadgate.report.artefacts import RUN_FILES, write_latency_log
from loadgate.report.html import html_report
from loadgate.report.summary import markdown_summary
from loadgate.rules import Rule, parse_rules
from loadgate.run.document import RunDocument, read_run
from loadgate.run.document.writing import total_figures
from loadgate.run.judgement import EndedBy
from loadgate.run.load_state import Cause, Stopped
from loadgate.run.plan import Plan
from loadgate.run.state import Run
from loadgate.shape.profile import LoadProfile
from tests.support.run_documents import as_json, document_of, judged

STOPPED = Stopped(Cause(EndedBy.TIME), 1060.0)
HOSTILE = '<script>alert(1)</script> | \x00 `x` & "quoted"'


def plan_for(name: str, rules: tuple[Rule, ...] = ()) -> Plan:
    return Plan(LoadProfile(name=name), rules, "http://x", 1, 1.0, 60.0, 10.0, 1, {"User": 1})


def run_with(name: str, error: str | None) -> RunDocument:
    rules = tuple(parse_rules([f"{name}: p95 < 100ms", "overall: failures < 1%", "absent: p95 < 1s"]))
    run = Run(plan_for(name, rules), started_s=1000.0, load=STOPPED)
    for index in range(100):
        run.recorder.record(
            FinishedRequest(name, Outcome.SUCCESS, start_s=1000 + index / 2, latency_ms=5 + index % 7, group="g")
        )
    if error:
        run.recorder.record(FinishedRequest(name, Outcome.FAILURE, start_s=1050, latency_ms=1, error=error, group="g"))
        run.record_exception(RuntimeError(error), None)
    return judged(run)


def test_text_of_the_target_cannot_become_markup(tmp_path: Path) -> None:
    document = run_with(HOSTILE, HOSTILE)
    RUN_FILES.write(document, tmp_path)
    assert "\x00" not in (tmp_path / "junit.xml").read_text()
    rows = [line for line in (tmp_path / "summary.md").read_text().splitlines() if "alert" in line]
    assert rows
    assert not [row for row in rows if "<script" in row]


@pytest.mark.parametrize(
    "text",
    [
        "[l](http://e)",
        "![l](http://e)",
        "[l]: http://e",
        "`x` and ``y``",
        "*a* __b__ ~~c~~ $d$",
        "a | b \\| c \\",
        "<b>c</b> &lt; &amp;",
        "# heading",
        "> said",
        "- item",
        "+ item",
        "1. item",
        "12.5 ms",
        "---",
        "```",
        "    code",
        "first_event - 5 > 3",
    ],
)
def test_text_of_the_target_is_escaped_in_the_summary(text: str) -> None:
    data = as_json(run_with("ping", text))
    data["run"]["profile"]["name"] = data["totals"]["requests"][0]["name"] = text
    data["verdict"]["rules"][0]["scope"] = text
    data["verdict"] |= {"reason": text, "notes": [text]}
    data["run"]["host"] = text
    document = document_of(data)
    html = MarkdownIt("commonmark").enable("table").render(markdown_summary(document))
    assert set(re.findall(r"<(/?\w+)", html)) <= {
        *("p", "/p", "h2", "/h2", "blockquote", "/blockquote"),
        *("table", "/table", "thead", "/thead", "tbody", "/tbody", "tr", "/tr", "th", "/th", "td", "/td"),
    }
    shown = unescape(re.sub(r"<[^>]*>", "\n", html)).replace("\N{ZERO WIDTH SPACE}", "").splitlines()
    line = text.strip()
    word = document.verdict.outcome.upper()
    assert {f"Load test {line}: {word}", line, f"{line}: p95"} <= set(shown)
    assert any(part.startswith(f"{line}. 101 requests in 1 min against {line}, ") for part in shown)


def test_junit_has_a_case_for_each_rule(tmp_path: Path) -> None:
    RUN_FILES.write(run_with("ping", None), tmp_path)
    junit = (tmp_path / "junit.xml").read_text()
    assert 'tests="3" failures="0" errors="1"' in junit
    assert junit.count("<testcase") == 3


def test_the_latency_log_has_one_line_per_second(tmp_path: Path) -> None:
    lines = write_latency_log(run_with("ping", None), tmp_path).read_text().splitlines()
    assert lines[1] == "#[Histogram log format version 1.3]"
    assert len([line for line in lines if line.startswith("Tag=ping/success,")]) == 50


def test_corrected_values_and_service_times_are_shown(tmp_path: Path) -> None:
    document = run_with("ping", None)
    assert document.totals.overall.corrected_ms is None  # no user was ever counted
    assert document.totals.overall.service_ms is None
    assert "estimate without coordinated omission" not in html_report(document)
    run = Run(plan_for("x"), started_s=1000.0, load=STOPPED)
    run.user_seconds["g"] = 10.0
    for second in range(50):
        latency_ms = 2000 if second == 25 else 10
        run.recorder.record(
            FinishedRequest("ping", Outcome.SUCCESS, start_s=1000 + second, latency_ms=latency_ms, group="g")
        )
    figures = total_figures(run).groups["g"]
    assert figures.corrected_ms is not None
    assert figures.corrected_ms.p99 == pytest.approx(2000, rel=0.01)
    assert figures.success_ms.mean < figures.corrected_ms.mean


def test_run_json_is_read_back(tmp_path: Path) -> None:
    document = run_with("ping", "HTTP 500")
    RUN_FILES.write(document, tmp_path)
    assert read_run(tmp_path) == document


def test_a_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_atomically(path, "first \ud800")
    assert path.read_text() == "first ?"
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(path, "second")
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


def test_lone_surrogates_are_replaced_before_files_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = "half \ud83d"
    monkeypatch.setattr(sys, "argv", ["locust", "--tags", "\udcff"])
    run = Run(plan_for("x"), started_s=1000.0, load=STOPPED, _made_s=1000.0)
    run.record_request(FinishedRequest(half, Outcome.SUCCESS, 1000.5, 5.0, group=half))
    run.record_request(FinishedRequest(half, Outcome.FAILURE, 1001.5, 5.0, group=half, error=half))
    measure: Any = SimpleNamespace(name=half, group=half, value_ms=7.0, at_s=1002.0)
    run.record_measure(measure)
    run.record_exception(RuntimeError(half), None)
    document = judged(run)
    RUN_FILES.write(document, tmp_path)
    assert read_run(tmp_path) == document
    assert document.run.command == ["locust", "--tags", "?"]
    assert [error.text for error in document.errors] == ["half ?"]
    json.dumps(run.take_report(final=False), ensure_ascii=False).encode()  # as a worker sends it
