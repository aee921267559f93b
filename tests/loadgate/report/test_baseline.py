"""Baselines: their files, what is refused, and the changes that the console and the page show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.project import load_project
from loadgate.report.baseline import (
    changes_lines,
    find_baseline,
    last_comparable_run,
    measured_run,
    read_baseline,
    with_baseline,
)
from loadgate.report.baseline.measuring import MAX_NAMES
from loadgate.report.html import html_report, run_series
from loadgate.report.html.embedded import embedded_data
from loadgate.report.summary import markdown_summary
from loadgate.report.value_changes import change_text, interval_text
from loadgate.run.document import RunDocument
from loadgate.run.judgement import EndedBy
from loadgate.units import milliseconds
from tests.loadgate.report.runs import HOSTILE, text_of
from tests.support.command_line import Command, command
from tests.support.made_runs import Made, keep_run, made_run
from tests.support.run_documents import stored
from tests.support.synthetic_run import Synthetic, synthetic_document


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "pyproject.toml").write_text("[tool.loadgate]\nbaselines = 'kept/baselines'\n")
    return tmp_path / "reports" / "performance" / "runs"


@pytest.fixture
def baseline(capsys: pytest.CaptureFixture[str]) -> Command:
    return command(capsys, "baseline")


def compared(base: Made, current: Made) -> RunDocument:
    """The document of a run with a baseline, as it comes back from run.json."""
    document, problem = with_baseline(made_run(current), measured_run(made_run(base), "20260501T000000Z-light"))
    assert problem == ""
    return stored(document)


def test_a_baseline_is_set_and_shown(runs: Path, baseline: Command) -> None:
    keep_run(runs, Made(requests=1000))
    assert baseline("set", "latest") == (0, "kept/baselines/light.json\n")
    file = runs.parents[2] / "kept" / "baselines" / "light.json"
    assert len(file.read_text().splitlines()) > 15
    assert file.stat().st_size < 4000
    found = read_baseline(file)
    assert found.run == "20260501T000000Z-light"
    auth = found.scope("group", "auth")
    assert auth is not None
    value = auth.measured("p95")
    assert value is not None
    assert value.low is not None
    assert value.high is not None
    assert value.low < value.value < value.high
    assert baseline("show").out == (
        "kept/baselines/light.json: run 20260501T000000Z-light of 2026-05-01, commit 8f14e45fceea\n"
    )
    shown = baseline("show", "--profile", "light").out
    assert "auth: p95" in shown
    assert "GET health" in shown


def test_only_complete_runs_become_baselines(runs: Path, baseline: Command) -> None:
    refused = {
        "was interrupted after 1 min, so it cannot be a baseline": Made(ended_by=EndedBy.INTERRUPT),
        "is from an older version of loadgate, which did not store the load": Made(day=1, load=None),
        "has no requests, so it cannot be a baseline": Made(day=2, requests=0),
    }
    for message, wanted in refused.items():
        folder = keep_run(runs, wanted)
        with pytest.raises(CommandError) as error:
            baseline("set", str(folder))
        assert f"{folder.name} {message}" in str(error.value)
        assert error.value.exit_code == ExitCode.USAGE
    assert baseline("show").out == "no baselines found; set one with loadgate baseline set\n"
    with pytest.raises(CommandError, match="there are only 3 runs, which loadgate history lists"):
        baseline("set", "latest-9")


def test_a_run_finds_the_baseline_of_its_profile(runs: Path, baseline: Command) -> None:
    project = load_project()
    assert find_baseline(project, "light", None) is None
    with pytest.raises(CommandError) as refused:
        find_baseline(project, "light", wanted=True)
    assert str(refused.value) == (
        "kept/baselines/light.json: profile light has no baseline; "
        "set one with loadgate baseline set latest --profile light"
    )
    keep_run(runs, Made())
    baseline("set", "latest", "--profile", "light")
    assert find_baseline(project, "light", None) == find_baseline(project, "light", wanted=True)
    assert find_baseline(project, "light", None) is not None
    assert find_baseline(project, "light", wanted=False) is None
    assert find_baseline(project, "medium", None) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: "{", "not JSON: "),
        (lambda data: "[]", "not a baseline of loadgate: it has no schema_version; restore the file, or set"),
        (
            lambda data: json.dumps(data | {"schema_version": 9}),
            "newer version of loadgate: its schema version is 9",
        ),
        (lambda data: json.dumps(data | {"scopes": 3}), "damaged: .scopes should be a valid array, not 3; restore"),
        (lambda data: json.dumps(data | {"rules": [{"rule": "x"}]}), "damaged: .rules[0].unit is missing; restore"),
        (lambda data: json.dumps(data | {"duration_s": "60"}), "damaged: .duration_s should be a valid number"),
    ],
)
def test_a_damaged_baseline_is_one_line(
    runs: Path, baseline: Command, change: Callable[[dict[str, object]], str], message: str
) -> None:
    keep_run(runs, Made())
    baseline("set", "latest")
    file = runs.parents[2] / "kept" / "baselines" / "light.json"
    file.write_text(change(json.loads(file.read_text())))
    with pytest.raises(CommandError) as refused:
        find_baseline(load_project(), "light", None)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert refused.value.exit_code == ExitCode.USAGE


def test_the_changes_of_the_rules_are_printed_with_their_intervals() -> None:
    document = compared(
        Made(requests=4000), Made(day=1, requests=4000, slow=1.3, seed=2, failures=40, commit="c0ffee" * 6)
    )
    text = "\n".join(changes_lines(document))
    (rule,) = [line for line in text.splitlines() if line.startswith("auth: p95")]
    change, low, high = (float(rule.split()[place].removeprefix("+")) for place in (6, 8, 10))
    assert 15 < low < change < high < 50
    assert "+1.00 points" in text
    assert "baseline: run 20260501T000000Z-light of 2026-05-01, commit 8f14e45fceea" in text
    assert "a single run cannot prove a change. To prove a change, run: loadgate ab 8f14e45fceea" in text


@pytest.mark.parametrize(
    ("changed", "end"), [(False, "Both runs have the commit 8f14e45fceea."), (True, "--profile light")]
)
def test_a_commit_is_compared_with_itself_only_if_files_have_changed(changed: bool, end: str) -> None:
    document = compared(Made(), Made(day=1))
    git = document.made_on.git
    assert git is not None
    made_on = document.made_on.model_copy(update={"git": git.model_copy(update={"changed": changed})})
    assert changes_lines(document.model_copy(update={"made_on": made_on}))[-1].endswith(end)


def test_a_baseline_of_another_load_is_refused_in_one_line() -> None:
    base = measured_run(made_run(Made(load="0th3r", users=20)))
    current = made_run()
    document, problem = with_baseline(current, base)
    assert (document.baseline, document.since_baseline) == (base, None)
    assert problem == "not compared with the baseline, because the loads differ: users 20 and 5"
    document, problem = with_baseline(made_run(Made(load=None)), base)
    assert document.since_baseline is None
    assert problem.endswith("because an older version of loadgate did not store the load of the run")


def test_the_page_and_the_summary_say_why_a_run_is_not_compared() -> None:
    document, problem = with_baseline(made_run(), measured_run(made_run(Made(load="0th3r", users=20)), "r"))
    document = stored(document)
    assert problem
    text = text_of(html_report(document))
    assert f"This run is {problem}. Baseline: run r of 2026-05-01" in text
    assert "Since baseline" not in text
    series = run_series(document)
    assert all(scope["baseline"] == [] for scope in embedded_data(document, series, [])["scopes"])
    assert "\nNot compared with the baseline, because the loads differ: users 20 and 5.\n" in markdown_summary(document)
    assert changes_lines(document) == []


def test_warnings_about_the_baseline_are_sentences() -> None:
    document = compared(Made(machine="0th3r", suite="0th3r"), Made(day=1))
    warning = "The baseline is from another class of machines (class 0th3r; this run: class c1a55c1a55c1)."
    page = html_report(document)
    assert f'<p class="note">{warning}</p>' in page
    assert '<p class="note">The suite has changed since the baseline.</p>' in page
    assert f"\n> {warning}\n\n> The suite" in markdown_summary(document)


def test_another_class_of_machines_and_another_suite_are_said() -> None:
    document = compared(Made(machine="0th3r", suite="0th3r", commit=None), Made(day=1))
    text = "\n".join(changes_lines(document))
    assert "! The baseline is from another class of machines (class 0th3r; this run: class c1a55c1a55c1)." in text
    assert "! The suite has changed since the baseline." in text
    assert "loadgate ab" not in text


def test_a_baseline_changes_no_outcome() -> None:
    document = compared(Made(), Made(day=1, slow=4.0, seed=2))
    assert document.verdict == made_run(Made(day=1, slow=4.0, seed=2)).verdict


def test_the_page_shows_the_changes_since_the_baseline() -> None:
    document = compared(Made(requests=4000), Made(day=1, requests=4000, slow=1.3, seed=2))
    page = html_report(document)
    text = text_of(page)
    assert "Since baseline" in text
    assert "p95 since baseline" in text
    assert document.since_baseline is not None
    moved = document.since_baseline.scope("name", "GET auth")["p95"]
    assert f"{change_text(moved.unit, moved.change)} {interval_text(moved.unit, moved.low, moved.high)}" in text
    assert (moved.low or 0.0) > 0
    assert "Baseline: run 20260501T000000Z-light of 2026-05-01" in text
    assert text_of(html_report(made_run())).count("since baseline") == 0
    assert "Since baseline" not in text_of(html_report(made_run()))


def test_without_a_baseline_the_last_comparable_run_takes_its_place(runs: Path) -> None:
    keep_run(runs, Made(day=1))
    keep_run(runs, Made(day=2, load="another load"))
    keep_run(runs, Made(day=3, machine="another one"))
    keep_run(runs, Made(day=4, ended_by=EndedBy.INTERRUPT))
    keep_run(runs, Made(day=5, profile="heavy"))
    keep_run(runs, Made(day=6, requests=0))
    (runs / "20260508T000000Z-light").mkdir()
    folder = keep_run(runs, Made(day=8, slow=1.3))
    document = made_run(Made(day=8, slow=1.3))
    found = last_comparable_run(runs.parent, document, folder)
    assert found is not None
    assert (found.run, found.is_last_run) == ("20260502T000000Z-light", True)
    document = stored(with_baseline(document, found)[0])
    lines = changes_lines(document)
    assert lines[1].split()[:3] == ["RULE", "LAST", "RUN"]
    assert "last run: run 20260502T000000Z-light of 2026-05-02" in "\n".join(lines)
    text = text_of(html_report(document))
    assert "Since last run" in text
    assert "p95 since last run" in text
    assert "Last run: run 20260502T000000Z-light" in text
    assert not re.search("(since|of the) baseline", text.lower())
    assert "| Rule | Last run | Now |" in markdown_summary(document)
    assert last_comparable_run(runs.parent, made_run(Made(load="a new load")), folder) is None
    assert last_comparable_run(runs.parent, made_run(Made(load=None)), folder) is None


def test_the_first_run_of_its_kind_says_so() -> None:
    document = stored(made_run().model_copy(update={"is_first_of_its_kind": True}))
    (line,) = changes_lines(document)
    assert line == "This is the first run with this load on this machine. Later runs show what has changed since."
    assert line in text_of(html_report(document))


def test_empty_runs_and_hostile_texts_do_not_break_the_page() -> None:
    document = compared(Made(), Made(day=1, requests=0))
    assert "Since baseline" in text_of(html_report(document))
    assert changes_lines(document)
    assert document.baseline is not None
    hostile = document.baseline.model_copy(update={"run": HOSTILE, "profile": HOSTILE, "commit": HOSTILE})
    page = html_report(document.model_copy(update={"baseline": hostile}))
    assert "</script><script>document" not in page


def test_the_values_are_those_of_the_rules() -> None:
    document = made_run(
        Made(requests=4000, failures=40, rules=("auth: p95 < 1s", "auth: failures < 9%", "auth: p99 < 1s"))
    )
    measured = measured_run(document)
    auth = measured.scope("group", "auth")
    assert auth is not None
    assert {rule.rule.removeprefix("auth: "): rule.value for rule in measured.rules} == {
        metric: auth.values[metric] for metric in ("p95", "failures", "p99")
    }


def test_the_charts_get_the_p95_of_the_baseline() -> None:
    document = compared(Made(requests=1000), Made(day=1, requests=1000, seed=2))
    series = run_series(document)
    scopes = embedded_data(document, series, [])["scopes"]
    assert document.baseline is not None
    auth = document.baseline.scope("group", "auth")
    assert auth is not None
    assert next(scope["baseline"] for scope in scopes if scope["name"] == "auth") == [
        {"ms": auth.values["p95"][0], "text": milliseconds(auth.values["p95"][0]), "of": "baseline"}
    ]
    assert all(scope["baseline"] == [] for scope in embedded_data(made_run(), series, [])["scopes"])


def test_a_baseline_has_the_names_with_the_most_requests() -> None:
    document = synthetic_document(Synthetic(duration_s=40, names=MAX_NAMES + 10, requests_per_s=200))
    made_on = document.made_on.model_copy(update={"fingerprint": made_run().made_on.fingerprint})
    measured = measured_run(document.model_copy(update={"made_on": made_on}))
    requests = {scope.name: scope.requests for scope in measured.scopes if scope.kind == "name"}
    assert len(requests) == MAX_NAMES
    others = [figures.requests for figures in document.totals.requests if figures.name not in requests]
    assert min(requests.values()) >= max(others)


def test_the_summary_has_the_changes_of_the_rules() -> None:
    summary = markdown_summary(compared(Made(requests=4000), Made(day=1, requests=4000, slow=1.3, seed=2)))
    assert "| Rule | Baseline | Now | Change | Interval |" in summary
    assert "Baseline: run 20260501T000000Z-light of 2026-05-01" in summary
    assert "Baseline" not in markdown_summary(made_run())
