"""Test the history of runs: order, rules over time, and a line for each unreadable folder."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loadgate.paths import write_atomically
from loadgate.project import TargetSettings
from loadgate.report.history import PastRun, UnreadableRun, history_json, past_runs
from loadgate.report.history_text import history_text
from loadgate.report.sparkline import MAX_SPARKS, sparkline
from tests.support.run_documents import as_json
from tests.support.synthetic_run import Synthetic, synthetic_document

NOW_S = datetime(2026, 5, 9, 12, tzinfo=UTC).timestamp()
SMALL = Synthetic(duration_s=40, names=2)


def shown(found: list[PastRun], unread: list[UnreadableRun], *, unicode: bool = True) -> str:
    return history_text(found, unread, lambda _: unicode, NOW_S)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return as_json(synthetic_document(SMALL))


def keep(runs: Path, name: str, document: dict[str, Any], p95_ms: float | None = 20.0, profile: str = "light") -> None:
    """Create a run folder with a run.json whose first rule has this value."""
    rules = document["verdict"]["rules"]
    outcome = "inconclusive" if p95_ms is None else "pass" if p95_ms < rules[0]["limit"] else "fail"
    changed = [rules[0] | {"value": p95_ms, "outcome": outcome}, *rules[1:]]
    run = document["run"] | {"profile": document["run"]["profile"] | {"name": profile}}
    verdict = document["verdict"] | {"rules": changed, "outcome": outcome}
    write_atomically(runs / name / "run.json", json.dumps(document | {"run": run, "verdict": verdict}))


def test_runs_come_newest_first_with_their_rules_over_time(tmp_path: Path, document: dict[str, Any]) -> None:
    for day, p95_ms in enumerate((20.0, 40.0, None, 900.0), start=1):
        keep(tmp_path, f"2026050{day}T120000Z-light", document, p95_ms)
    keep(tmp_path, "20260504T120000Z-light-2", document, 30.0)
    found, unread = past_runs(tmp_path, None, 20)
    assert not unread
    assert [run.folder[6:8] for run in found] == ["04", "04", "03", "02", "01"]
    assert found[0].folder.endswith("-2")
    assert [run.outcome for run in found] == ["pass", "fail", "inconclusive", "pass", "pass"]
    (rule,) = [rule for rule in history_json(found, unread)["rules"] if rule["rule"] == "group 0: p95"]
    assert rule["values"] == [20.0, 40.0, None, 900.0, 30.0]
    assert rule["outcomes"] == ["pass", "pass", "inconclusive", "fail", "pass"]
    text = shown(found, unread)
    assert text.index("20260504T120000Z-light-2") < text.index("20260504T120000Z-light ")
    assert "▁▁·█▁" in text
    assert "3 pass, 1 fail, 1 inconclusive" in text
    assert "11-81" in shown(found, unread, unicode=False)


def test_several_limits_of_one_subject_have_separate_lines(tmp_path: Path, document: dict[str, Any]) -> None:
    first = document["verdict"]["rules"][0]
    limits = {"p95 < 5000ms": "pass", "p95 < 1ms": "fail", "p95 < 1ms abort": "fail"}
    rules = [
        first | {"rule": f"group 0: {asked}", "limit": 5000 if outcome == "pass" else 1, "outcome": outcome}
        for asked, outcome in limits.items()
    ]
    verdict = document["verdict"] | {"rules": [*rules, rules[0]], "outcome": "fail"}
    write_atomically(tmp_path / "20260502T120000Z-light" / "run.json", json.dumps(document | {"verdict": verdict}))
    found, unread = past_runs(tmp_path, None, 20)
    lines = history_json(found, unread)["rules"]
    assert [(line["rule"], line["outcomes"]) for line in lines] == [
        (f"group 0: {asked}", [outcome]) for asked, outcome in limits.items()
    ]
    assert shown(found, unread).count("1 fail") == 2


def test_runs_are_selected_by_profile_and_number(tmp_path: Path, document: dict[str, Any]) -> None:
    for day in range(1, 7):
        keep(tmp_path, f"2026050{day}T120000Z-x", document, profile="heavy" if day % 2 else "light")
    found, _ = past_runs(tmp_path, "heavy", 2)
    assert [(run.folder[6:8], run.profile) for run in found] == [("05", "heavy"), ("03", "heavy")]
    assert shown(*past_runs(tmp_path, "spike", 5)) == "no runs found"
    assert past_runs(tmp_path / "absent", None, 5) == ([], [])


def test_damaged_runs_have_one_line_each_and_failed_starts_have_none(tmp_path: Path, document: dict[str, Any]) -> None:
    keep(tmp_path, "20260501T120000Z-light", document)
    (tmp_path / "20260502T120000Z-light").mkdir()
    broken = {
        "20260503T120000Z-light": "{",
        "20260504T120000Z-light": '{"schema_version": 99}',
        "20260505T120000Z-light": json.dumps(document | {"verdict": {}}),
        "20260506T120000Z-light": json.dumps(document | {"totals": []}),
        "20260507T120000Z-light": "[]",
    }
    for name, content in broken.items():
        write_atomically(tmp_path / name / "run.json", content)
    (tmp_path / "notes.txt").write_text("not a run")
    found, unread = past_runs(tmp_path, None, 20)
    assert [run.folder for run in found] == ["20260501T120000Z-light"]
    assert [one.folder for one in unread] == sorted(broken, reverse=True)
    text = shown(found, unread).splitlines()
    assert text[1].startswith("20260501T120000Z-light")
    assert "20260502T120000Z-light" not in "\n".join(text)
    lines = text[-len(unread) :]
    assert all(line.startswith(one.folder) for line, one in zip(lines, unread, strict=True))
    assert "unknown" not in lines[0]
    assert "its schema version is 99, and this loadgate reads versions 2 and 3" in "\n".join(lines)


def damaged(document: dict[str, Any], *path: str | int, value: Any) -> str:
    copy = json.loads(json.dumps(document))
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return json.dumps(copy)


def test_a_damaged_run_does_not_hide_other_runs(tmp_path: Path, document: dict[str, Any]) -> None:
    keep(tmp_path, "20260501T120000Z-light", document)
    texts = [
        damaged(document, "verdict", "rules", 0, "value", value="x"),
        damaged(document, "verdict", "rules", 0, "unit", value=None),
        damaged(document, "verdict", "reason", value=None),
        damaged(document, "verdict", "outcome", value=["pass"]),
        damaged(document, "totals", "overall", "failure_rate", value="x"),
        damaged(document, "totals", "overall", "requests", value=float("inf")),
        damaged(document, "totals", "overall", "requests", value=10**400),
        damaged(document, "run", "profile", "name", value={}),
        "[" * 100_000,
        "\x00",
        "",
    ]
    for number, text in enumerate(texts):
        write_atomically(tmp_path / f"20260502T1200{number:02d}Z-light" / "run.json", text)
    (tmp_path / "20260503T120000Z-light" / "run.json").mkdir(parents=True)
    found, unread = past_runs(tmp_path, None, 20)
    assert [run.folder for run in found] == ["20260501T120000Z-light"]
    assert len(unread) == len(texts) + 1
    assert ": Is a directory" in f": {unread[0].problem}"
    lines = shown(found, unread).splitlines()
    assert [line.partition(":")[0] for line in lines[-len(unread) :]] == [one.folder for one in unread]
    assert any("damaged: .verdict.reason should be a valid string, not null; restore" in line for line in lines)


def test_a_run_that_belongs_to_another_user_is_one_line(
    tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "20260501T120000Z-light", document)
    keep(tmp_path, "20260502T120000Z-light", document)

    def refusing(method: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
            if self.parent.name == "20260502T120000Z-light":
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return method(self, *arguments, **options)

        return refuse

    opened = os.open

    def refuse_open(path: Any, *arguments: Any, **options: Any) -> int:
        if Path(path).parent.name == "20260502T120000Z-light":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "stat", refusing(Path.stat))
    monkeypatch.setattr(os, "open", refuse_open)
    found, unread = past_runs(tmp_path, None, 20)
    assert [run.folder for run in found] == ["20260501T120000Z-light"]
    assert [(one.folder, one.problem) for one in unread] == [("20260502T120000Z-light", "Permission denied")]


def test_text_of_a_run_stays_on_one_line(tmp_path: Path, document: dict[str, Any]) -> None:
    verdict = document["verdict"] | {"reason": "two\nlines \x1b[31mred", "outcome": "fail"}
    write_atomically(tmp_path / "20260501T120000Z-light" / "run.json", json.dumps(document | {"verdict": verdict}))
    text = shown(*past_runs(tmp_path, None, 20))
    assert "two lines ?[31mred" in text.splitlines()[2]


def test_a_run_has_its_age_its_commit_and_the_address_of_a_service_that_was_running(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    keep(tmp_path, "20260509T100000Z-light", document)
    ((run,), _) = past_runs(tmp_path, None, 5)
    commit = "0123456789abcdef"
    runs = [
        replace(run, started_at="2026-05-09T10:59:00+00:00", commit=commit, commit_changed=True, is_managed=True),
        replace(run, started_at="2026-05-01T12:00:00+00:00", commit=None, is_managed=False, host="https://shop.test"),
        replace(run, started_at="2027-01-01T00:00:00+00:00", is_managed=True, outcome="fail", reason="2 rules failed"),
        replace(run, started_at="then", is_managed=True),
    ]
    lines = shown(runs, []).splitlines()
    assert lines[0].split() == ["RUN", "OUTCOME", "AGE", "COMMIT", "REQUESTS", "FAILED"]
    assert lines[1].split()[2:5] == ["1", "h", "01234567*"]
    assert lines[2].split()[2:4] == ["8", "d"]
    assert lines[3] == "  https://shop.test"
    assert lines[4].split()[2:4] == ["0", "s"]
    assert lines[5] == "  2 rules failed"
    assert lines[7] == "* with uncommitted changes"
    assert max(map(len, lines[:6])) <= 80


def test_runs_with_another_load_have_a_series_of_their_own(tmp_path: Path, document: dict[str, Any]) -> None:
    keep(tmp_path, "20260501T120000Z-light", document, 20.0)
    ((run,), _) = past_runs(tmp_path, None, 5)
    runs = [
        replace(run, folder="20260504T120000Z-light", profile_hash="new"),
        replace(run, folder="20260503T120000Z-light", profile_hash="old"),
        replace(run, folder="20260502T120000Z-light", profile_hash="old"),
    ]
    series = [line for line in history_json(runs, [])["rules"] if line["rule"] == "group 0: p95"]
    assert [(line["profile_hash"], len(line["values"])) for line in series] == [("new", 1), ("old", 2)]
    text = shown(runs, [])
    assert text.count("light until 20260503  group 0: p95") == 1


def test_a_sparkline_shows_rises_falls_and_gaps() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5]) == "▅▅"
    assert sparkline([None, 0.5, 1]) == "·▁█"
    assert sparkline([]) == ""


def test_a_long_history_stays_short(tmp_path: Path, document: dict[str, Any]) -> None:
    found, _ = past_runs(tmp_path, None, 5)
    keep(tmp_path, "20260501T120000Z-light", document)
    found, _ = past_runs(tmp_path, None, 5)
    many = [replace(found[0], folder=f"{number}") for number in range(3 * MAX_SPARKS)]
    text = shown(many, [])
    assert max(len(line) - line.count(" ") for line in text.splitlines() if "▅" in line) < MAX_SPARKS + 60


def test_a_target_can_write_its_logs_to_the_run_folder(tmp_path: Path) -> None:
    settings = TargetSettings(
        command=("serve", "--logs", "{run_folder}/logs"), ready_line="x", env={"LOGS": "{run_folder}", "A": "{b}"}
    )
    filled = settings.for_run(tmp_path)
    assert filled.command == ("serve", "--logs", f"{tmp_path}/logs")
    assert filled.env == {"LOGS": str(tmp_path), "A": "{b}"}
