"""Test the artefacts for other programs: each follows its format and is derived from run.json."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loadgate.recorder import OVERALL, FinishedRequest, Outcome
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord
from loadgate.report.artefacts import (
    RUN_FILES,
    ArtefactError,
    append_job_summary,
)
from loadgate.report.console import verdict_text
from loadgate.report.html import html_report, run_series
from loadgate.report.junit import junit_xml
from loadgate.report.prometheus import prometheus_text
from loadgate.report.resources import MAX_UNREAD
from loadgate.report.series_csv import series_csv
from loadgate.report.summary import MAX_RESOURCES, markdown_summary
from loadgate.rules import RuleOutcome, RuleResult
from loadgate.run.document import RunDocument, TargetRecord, read_run
from loadgate.run.document.resources import ResourcesRecord
from loadgate.run.judgement import EndedBy
from loadgate.run.load_state import Cause, Stopped
from tests.support.run_documents import as_json, document_of, judged, stored
from tests.support.synthetic_run import Synthetic, synthetic_document, synthetic_run

if TYPE_CHECKING:
    import xmlschema  # where it is used, because each test process imports every test

SMALL = Synthetic(duration_s=40, names=4)
HOSTILE = 'a "quoted" \\ <b>| \x00\x1b[31m\nnext & \ud800'


def aborted() -> RunDocument:
    run = synthetic_run(replace(SMALL, p95_limit_ms=1))
    rule = run.plan.rules[0]
    broken = RuleResult(rule, RuleOutcome.FAIL, "the run was stopped early: p95 was 7 ms, not < 1 ms", 7.0, 50)
    run.load = Stopped(Cause(EndedBy.RULE, broken), run.started_s + run.elapsed_s)
    return judged(run)


def everything() -> RunDocument:
    """Return a run with all optional parts."""
    run = synthetic_run(SMALL)
    run.recorder.record(FinishedRequest("open", Outcome.SUCCESS, start_s=run.started_s, latency_ms=5, service_ms=4))
    run.recorder.record_measure("first event", 12.0, at_s=run.started_s + 1, group="llm")
    run.recorder.count("late", 3)
    run.record_exception(RuntimeError("broken"), None)
    run.user_seconds["group 0"] = 100.0
    document = judged(run)
    target = TargetRecord(command=["serve"], url="http://x", ended=None)
    return document.model_copy(update={"target": target})


DOCUMENTS = {
    "pass": lambda: synthetic_document(SMALL),
    "fail": lambda: synthetic_document(replace(SMALL, p95_limit_ms=1)),
    "empty": lambda: synthetic_document(replace(SMALL, names=0)),
    "interrupted": lambda: synthetic_document(replace(SMALL, ended_by=EndedBy.INTERRUPT)),
    "saturated": lambda: synthetic_document(replace(SMALL, saturated=True)),
    "aborted": aborted,
    "everything": everything,
}


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> RunDocument:
    return stored(DOCUMENTS[request.param]())


@pytest.fixture(scope="module")
def junit_schema() -> xmlschema.XMLSchema:
    import xmlschema

    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def test_junit_is_valid_for_both_common_schemas(document: RunDocument, junit_schema: xmlschema.XMLSchema) -> None:
    text = junit_xml(document)
    junit_schema.validate(text)
    outcomes = [rule.outcome for rule in document.verdict.rules]
    assert text.count("<testcase") == max(1, len(outcomes)) + (document.verdict.outcome not in outcomes)
    assert text.count("<failure") >= outcomes.count("fail")
    if document.verdict.outcome != "pass":
        assert "<failure" in text or "<error" in text


def test_hostile_text_stays_valid_in_junit_and_metrics(junit_schema: xmlschema.XMLSchema) -> None:
    data = as_json(synthetic_document(SMALL))
    data["run"]["profile"]["name"] = HOSTILE
    data["made_on"]["machine"]["name"] = HOSTILE
    data["verdict"]["rules"][0] |= {"rule": HOSTILE, "reason": HOSTILE, "outcome": "fail"}
    document = document_of(data)
    junit_schema.validate(junit_xml(document))
    record = ResourceRecord()
    record.put(int(document.run.started_s), {ResourceColumn(HOSTILE.replace("\ud800", ""), "memory"): 1.0})
    document = document.model_copy(update={"resources": ResourcesRecord.of(record)})
    labels = {label for sample in samples(prometheus_text(document)) for label in sample.labels.values()}
    assert 'a "quoted" \\ <b>|   [31m\nnext & ?' in labels


def samples(text: str) -> Iterator[Any]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def test_metrics_are_prometheus_text_in_base_units(document: RunDocument) -> None:
    text = prometheus_text(document)
    found = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples(text)}
    assert len(found) == len([line for line in text.splitlines() if not line.startswith("#")])
    # The textfile collector and Pushgateway refuse timestamps and metrics in two places.
    assert {sample.timestamp for sample in samples(text)} == {None}
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) == len({sample.name for sample in samples(text)})
    profile = ("profile", document.run.profile.name)
    outcome = document.verdict.outcome
    assert found["loadgate_run_outcome", ("outcome", outcome), profile] == 1
    assert sum(value for key, value in found.items() if key[0] == "loadgate_run_outcome") == 1
    overall = document.totals.overall
    scope = (("group", ""), ("name", ""), profile)
    assert found["loadgate_requests", *scope, ("scope", "overall")] == overall.requests
    p95 = found.get(("loadgate_response_time_seconds", *scope, ("quantile", "0.95"), ("scope", "overall")))
    if overall.success_ms.p95 is None:
        assert p95 is None
    else:
        assert p95 == pytest.approx(overall.success_ms.p95 / 1000)
    for rule in document.verdict.rules:
        expected = rule.limit / {"ms": 1000, "%": 100}.get(rule.unit, 1)
        assert found["loadgate_rule_limit", profile, ("rule", rule.rule)] == pytest.approx(expected)


def test_every_file_is_made_from_run_json_only(tmp_path: Path, document: RunDocument) -> None:
    RUN_FILES.write(document, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"run.json", "report.html", "junit.xml", "summary.md", "series.csv", "metrics.prom"}
    again = tmp_path / "again"
    RUN_FILES.rebuild(read_run(tmp_path), again)
    for path in again.iterdir():
        assert path.read_bytes() == before[path.name], path.name


def test_run_json_is_there_even_if_the_other_files_are_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("loadgate.report.artefacts.html_report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RUN_FILES.write(synthetic_document(SMALL), tmp_path)
    assert read_run(tmp_path).totals == synthetic_document(SMALL).totals


def test_the_table_of_seconds_counts_every_request(tmp_path: Path, document: RunDocument) -> None:
    RUN_FILES.write(document, tmp_path)
    rows = list(csv.DictReader(StringIO((tmp_path / "series.csv").read_text())))
    totals = document.totals
    overall = [row for row in rows if row["scope"] == "overall"]
    assert sum(int(row["requests"]) for row in overall) == totals.overall.requests
    assert sum(int(row["failures"]) for row in overall) == totals.overall.failures
    for figures in totals.requests:
        mine = [row for row in rows if (row["group"], row["name"]) == (figures.group, figures.name)]
        assert sum(int(row["requests"]) for row in mine) == figures.requests
        assert all(row["scope"] == figures.kind for row in mine)
    for row in rows:
        assert int(row["width_s"]) == 1
        assert row["time"].startswith("2026-05-01T00:0")
        if row["p50_ms"]:
            assert float(row["p50_ms"]) <= float(row["p95_ms"]) <= float(row["p99_ms"]) <= float(row["max_ms"])


def test_the_table_of_seconds_has_the_requests_in_flight(document: RunDocument) -> None:
    rows = list(csv.DictReader(StringIO(series_csv(document, run_series(document)))))
    recorder = document.recording.recorder()
    for kind, group, scope in (("overall", "", OVERALL), *(("group", group, group) for group in recorder.groups())):
        if not recorder.is_measure(scope):
            shown = [row for row in rows if (row["scope"], row["group"]) == (kind, group)]
            expected = [slot.mean for slot in recorder.in_flight(scope)]
            assert [float(row["in_flight"]) for row in shown] == pytest.approx(expected, rel=1e-5)
    assert {row["in_flight"] for row in rows if row["scope"] == "measure"} <= {""}
    for name in recorder.requests():
        mine = [row for row in rows if (row["scope"], row["group"], row["name"]) == ("request", name.group, name.name)]
        expected = [slot.mean for slot in recorder.in_flight(name)] if mine else []
        assert [float(row["in_flight"]) for row in mine] == pytest.approx(expected, rel=1e-5)


def test_the_table_of_seconds_has_the_resources_after_the_requests(document: RunDocument) -> None:
    rows = list(csv.DictReader(StringIO(series_csv(document, run_series(document)))))
    resources = [row for row in rows if row["scope"] == "resource"]
    assert rows[len(rows) - len(resources) :] == resources
    assert {(row["group"], row["name"], row["unit"]) for row in resources} == {
        *(("api", "memory", "bytes"), ("api", "cpu", "cores"), ("api", "open_files", "count")),
        *(("database", "connections", "count"), ("database", "connections.limit", "count"), ("database", "wait", "s")),
    }
    memory = document.resources.record().series("api", "memory")
    assert memory is not None
    shown = [float(row["value"]) for row in resources if row["name"] == "memory"]
    assert shown == [value for time_s, value in memory.pairs() if time_s < document.run.ended_s]
    empty = ("requests", "failures", "p50_ms", "p95_ms", "p99_ms", "max_ms", "in_flight")
    assert {row[column] for row in resources for column in empty} == {""}
    assert {row[column] for row in rows if row["scope"] != "resource" for column in ("value", "unit")} <= {""}


def test_metrics_have_the_resources_in_base_units(document: RunDocument) -> None:
    found = {
        tuple(sample.labels[name] for name in ("resource", "quantity", "stat")): sample.value
        for sample in samples(prometheus_text(document))
        if sample.name == "loadgate_resource"
    }
    assert len(found) == 6 * 3
    assert found["database", "connections.limit", "last"] == 20
    assert found["database", "wait", "mean"] == pytest.approx(0.0004)
    assert found["database", "connections", "max"] <= 9
    memory = document.resources.record().series("api", "memory")
    assert memory is not None
    under_load = memory.between(document.run.started_s, document.run.started_s + document.run.duration_s).values
    assert found["api", "memory", "mean"] == pytest.approx(sum(under_load) / len(under_load))
    assert found["api", "memory", "last"] == under_load[-1]


def test_the_summary_and_the_console_have_the_resources_under_load(document: RunDocument) -> None:
    summary = markdown_summary(document).splitlines()
    head = summary.index("| Resource | Quantity | Mean | Max | Limit |")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in summary[head + 2 :]]
    assert [row[:2] for row in rows] == [
        *(["api", name] for name in ("CPU", "memory", "open files")),
        *(["database", name] for name in ("connections", "wait")),
    ]
    assert rows[3][4] == "20"
    assert rows[4][2:] == ["0.400 ms", "0.400 ms", "-"]
    shown = verdict_text(document, None).splitlines()
    head = shown.index("resources of the target, means under load:")
    assert shown[head + 1].startswith(f"  api: CPU {rows[0][2]}, memory {rows[1][2]}, open files ")
    assert shown[head + 2] == f"  database: connections {rows[3][2]} of 20, wait 0.400 ms"


def test_the_summary_and_the_console_say_what_could_not_be_read() -> None:
    record = ResourceRecord()
    record.notes += [f"http://api/{number} answered 404; set url" for number in range(MAX_UNREAD + 2)]
    document = synthetic_document(SMALL).model_copy(update={"resources": ResourcesRecord.of(record)})
    notes = [*record.notes[:MAX_UNREAD], "2 more things could not be read; the report names them"]
    assert [line for line in verdict_text(document, None).splitlines() if line.startswith("! ")] == [
        f"! {note}" for note in notes
    ]
    quoted = [line for line in markdown_summary(document).splitlines() if line.startswith("> ")]
    assert len(quoted) == len(notes)
    assert quoted[-1] == f"> {notes[-1]}"
    one = ResourcesRecord.of(ResourceRecord()).model_copy(update={"notes": ["x"]})
    assert "\n! x\n" in verdict_text(document.model_copy(update={"resources": one}), None)


def test_a_note_that_the_reason_contains_is_not_repeated() -> None:
    document = synthetic_document(SMALL)
    reason = "the generator was saturated; 3 users never started"
    verdict = document.verdict.model_copy(update={"reason": reason, "notes": ["3 users never started", "another note"]})
    document = document.model_copy(update={"verdict": verdict})
    for text in (verdict_text(document, None), markdown_summary(document), html_report(document)):
        assert text.count("3 users never started") == 1
        assert text.count("another note") == 1


def test_lines_of_resources_are_wrapped_without_a_terminal() -> None:
    record = ResourceRecord()
    start_s = int(synthetic_document(SMALL).run.started_s)
    waits = {
        ResourceColumn("api", f"wait_{number}{suffix}", ColumnKind.FLOW): 1.0
        for number in range(20)
        for suffix in (".sum", ".count")
    }
    record.put(start_s, waits)
    document = synthetic_document(SMALL).model_copy(update={"resources": ResourcesRecord.of(record)})
    shown = verdict_text(document, None).splitlines()
    head = shown.index("resources of the target, means under load:")
    lines = [line for line in shown[head + 1 :] if line.startswith("  ")]
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("  api: wait 0 1,000 ms, ")
    assert all(line.startswith("    ") for line in lines[1:])
    assert sum(line.count(" ms") for line in lines) == 20


def test_a_run_without_resources_has_no_line_of_them() -> None:
    document = synthetic_document(SMALL)
    document = document.model_copy(update={"resources": ResourcesRecord.of(ResourceRecord())})
    assert "resource" not in series_csv(document, run_series(document))
    assert "loadgate_resource" not in prometheus_text(document)
    assert "Resource" not in markdown_summary(document)
    assert "resources" not in verdict_text(document, None)


def test_the_summary_has_a_bounded_number_of_resources() -> None:
    record = ResourceRecord()
    values = {ResourceColumn(f"r{number} | x", "memory"): 1.0 for number in range(40)}
    record.put(int(synthetic_document(SMALL).run.started_s), values)
    document = synthetic_document(SMALL).model_copy(update={"resources": ResourcesRecord.of(record)})
    summary = markdown_summary(document)
    assert summary.count("| memory |") == MAX_RESOURCES
    assert "10 more quantities are in the report." in summary
    assert "| r0 \\| x | memory | 1 | 1 | - |" in summary


def test_the_job_summary_is_written_only_in_a_github_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n")
    document = synthetic_document(SMALL)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    append_job_summary(markdown_summary(document))
    assert page.read_text() == "before\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert append_job_summary(markdown_summary(document)) == []
    assert page.read_text().startswith("before\n## Load test synthetic: PASS\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert append_job_summary(markdown_summary(document)) == [
        f"cannot write the job summary {tmp_path}: Is a directory"
    ]


def test_a_write_error_does_not_affect_other_files(tmp_path: Path) -> None:
    for name in ("report.html", "metrics.prom"):
        (tmp_path / name).mkdir()
    with pytest.raises(ArtefactError, match=r"^report\.html, metrics\.prom: Is a directory$"):
        RUN_FILES.write(synthetic_document(SMALL), tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "run.json",
        "series.csv",
        "junit.xml",
        "summary.md",
    }
