"""`loadgate history --changes`: series, commits, sentences and JSON, from run folders and from made histories."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from loadgate.cli.results import history
from loadgate.paths import write_atomically
from loadgate.report.changes import changes_json, changes_text, examine
from loadgate.report.changes.series import MIN_VALUES, HistoryChanges
from loadgate.report.history import PastRun, past_runs
from loadgate.rules import RuleOutcome
from loadgate.run.judgement import EndedBy
from tests.support.made_runs import Made, keep_run


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> PastRun:
    """A run of the history, as it is read from its folder."""
    runs = tmp_path_factory.mktemp("runs")
    keep_run(runs, Made())
    ((found,), _) = past_runs(runs, None, 1)
    return found


def past(one: PastRun, number: int, p95_ms: float | None, failed: float = 0.0, **changed: object) -> PastRun:
    """The run with these values of its first two rules. Each run has a commit of its own."""
    p95, failures, requests = one.rules
    rules = (p95.model_copy(update={"value": p95_ms}), failures.model_copy(update={"value": failed}), requests)
    named = {"folder": f"2026050{number}", "commit": f"{number:02d}" * 20, "rules": rules}
    return replace(one, **{**named, **changed})


def made_history(
    one: PastRun, runs: int, slow_from: int = 99, slow: float = 1.2, *, seed: int = 1, p95_ms: float = 200.0
) -> list[PastRun]:
    """A history, newest first, whose p95 is 20 % higher from the run `slow_from` on."""
    rnd = random.Random(seed)
    values = [p95_ms * rnd.lognormvariate(0, 0.02) * (slow if number >= slow_from else 1) for number in range(runs)]
    return [past(one, number, value) for number, value in enumerate(values)][::-1]


def text(found: HistoryChanges) -> str:
    return "\n".join(changes_text(found, []))


def test_a_change_names_its_commits_and_the_command_that_proves_it(one: PastRun) -> None:
    said = text(examine(made_history(one, 30, slow_from=18)))
    assert "light: 30 runs of load 10ad10ad10ad on machine class c1a55c1a55c1" in said
    assert "WORSE  auth: p95  20" in said
    assert "between 171717171717 (2026-05-01) and 181818181818 (2026-05-01)" in said
    assert "18 runs before, 12 after; p = 0.001" in said
    assert "loadgate ab 171717171717 181818181818 --profile light" in said
    assert "no change: overall: failures, overall: requests" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_faster_run_is_better_and_the_newest_change_comes_first(one: PastRun) -> None:
    slow, fast = made_history(one, 20, slow_from=0), made_history(one, 20, seed=2)
    said = text(examine([*slow, *fast, *slow]))
    assert said.index("WORSE  auth: p95") < said.index("BETTER auth: p95")


def test_a_change_of_a_fast_route_has_to_be_half_a_millisecond(one: PastRun) -> None:
    fast = [made_history(one, 30, slow_from=18, slow=slow, p95_ms=2.0) for slow in (1.2, 1.5)]
    assert [text(examine(history)).count("WORSE") for history in fast] == [0, 1]


def test_the_newest_run_alone_is_only_suspected(one: PastRun) -> None:
    found = examine(made_history(one, 30, slow_from=29))
    said = text(found)
    assert "WORSE" not in said
    assert "auth: p95 may have changed with the newest run" in said
    assert "loadgate ab 282828282828 292929292929 --profile light" in said
    (group,) = changes_json(found, [])["groups"]
    assert [rule["newest_run_suspected"] for rule in group["rules"]] == [True, False, False]
    assert [rule["changes"] for rule in group["rules"]] == [[], [], []]


def test_failures_are_compared_as_differences_of_shares(one: PastRun) -> None:
    def runs(failed: float) -> list[PastRun]:
        return [past(one, number, 200.0, failed * (number >= 12)) for number in range(24)][::-1]

    said = text(examine(runs(0.4)))
    assert "WORSE  overall: failures  0 % -> 0.400 % (+0.400 points)" in said
    assert "WORSE" not in text(examine(runs(0.05)))


def test_loads_and_machines_are_separate_series(one: PastRun) -> None:
    fast, slow = made_history(one, 20), made_history(one, 20, slow_from=0)
    for key in ("profile_hash", "machine_hash"):
        found = examine([*(replace(run, **{key: "other"}) for run in slow), *fast])
        assert [group.runs for group in found.groups] == [20, 20]
        assert not any(series.changes for group in found.groups for series in group.series)
    assert text(examine([*slow, *fast])).count("WORSE") == 1


def test_values_that_say_nothing_are_left_out(one: PastRun) -> None:
    runs = made_history(one, 30, slow_from=18)
    inconclusive = one.rules[0].model_copy(update={"outcome": RuleOutcome.INCONCLUSIVE, "value": 9e9})
    useless = [
        past(one, 50, None),
        past(one, 51, 0.0),
        replace(past(one, 52, 1.0), rules=(inconclusive,)),
        replace(past(one, 53, 1.0), rules=()),
    ]
    found = examine([*runs[:5], *useless, *runs[5:]])
    series = next(series for series in found.groups[0].series if series.subject == "auth: p95")
    assert len(series.points) == 30
    assert [change.at for change in series.changes] == [18]


def test_short_histories_and_old_documents_are_named(one: PastRun) -> None:
    assert changes_text(examine([]), []) == ["no completed runs found"]
    said = text(examine(made_history(one, 1)))
    few = "auth: p95 has 1, overall: failures has 1, overall: requests has 1"
    assert f"  not examined, because a rule needs the values of at least {MIN_VALUES} runs: {few}" in said
    found = examine([replace(one, profile_hash=None), replace(one, ending="interrupted")])
    assert found.groups == ()
    assert "not examined: 2 runs that did not complete or whose load is not stored" in text(found)


def test_runs_of_one_commit_or_without_a_commit_have_no_command(one: PastRun) -> None:
    same = [replace(run, commit="a" * 40, commit_changed=True) for run in made_history(one, 30, slow_from=18)]
    said = text(examine(same))
    assert "between aaaaaaaaaaaa (2026-05-01, with local changes) and aaaaaaaaaaaa" in said
    assert "both runs have the same commit" in said
    assert "loadgate ab" not in said
    unknown = [replace(run, commit=None) for run in made_history(one, 30, slow_from=18)]
    assert "a commit is not known" in text(examine(unknown))


def test_the_command_reads_run_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "reports" / "performance" / "runs"
    for day in range(24):
        keep_run(runs, Made(day=day, seed=day, requests=200, slow=2.0 if day >= 12 else 1.0, commit=f"{day:040d}"))
    keep_run(runs, Made(day=30, ended_by=EndedBy.INTERRUPT))
    write_atomically(runs / "20260630T120000Z-light" / "run.json", "{")
    monkeypatch.chdir(tmp_path)
    assert history(changes=True) == 0
    said = capsys.readouterr().out
    assert "WORSE  auth: p95" in said
    assert "12 runs before, 12 after" in said
    assert "not examined: 1 run that" in said
    assert "20260630T120000Z-light: not JSON" in said
    assert history(changes=True, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    (group,) = document["groups"]
    (change,) = group["rules"][0]["changes"]
    assert change["last_commit"] == f"{11:040d}"
    assert change["first_run"].startswith("20260513T")
    assert change["is_worse"]
    assert len(document["unread"]) == 1
    assert history(changes=True, limit=5) == 0
    assert "needs the values of at least 14 runs" in capsys.readouterr().out


def test_the_help_names_the_number_of_values_that_is_needed() -> None:
    assert f"at least {MIN_VALUES} runs" in (history.__doc__ or "")
