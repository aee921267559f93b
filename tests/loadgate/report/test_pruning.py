"""Test that pruning deletes old runs and comparisons, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from loadgate.cli.results import history
from loadgate.folder_locks import in_use
from loadgate.paths import write_atomically
from loadgate.report.pruning import QUIET_S, Pruned, prune
from tests.loadgate.report.ab.documents import passed
from tests.support.run_documents import as_json
from tests.support.synthetic_run import Synthetic, synthetic_document


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    return as_json(synthetic_document(Synthetic(duration_s=40, names=2)))


def keep_run(folder: Path, run: dict[str, Any], profile: str = "light") -> None:
    named = run["run"] | {"profile": run["run"]["profile"] | {"name": profile}}
    write_atomically(folder / "run.json", json.dumps(run | {"run": named}))


def keep_comparison(folder: Path, profile: str = "light") -> None:
    """Create the folder of a comparison, with the run of a segment."""
    document = json.loads(passed().to_json())
    write_atomically(folder / "ab.json", json.dumps(document | {"plan": document["plan"] | {"profile": profile}}))
    write_atomically(folder / "segments" / "01-base" / "run.json", "{}")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def days(*numbers: int) -> set[str]:
    return {f"2026050{number}T120000Z-x" for number in numbers}


def test_pruning_keeps_the_newest_of_each_kind(tmp_path: Path, run: dict[str, Any]) -> None:
    runs, comparisons = tmp_path / "runs", tmp_path / "ab"
    for day in range(1, 6):
        profile = "heavy" if day % 2 else "light"
        keep_run(runs / f"2026050{day}T120000Z-x", run, profile)
        keep_comparison(comparisons / f"2026050{day}T120000Z-x", profile)
    for folder, name in ((runs, "run.json"), (comparisons, "ab.json")):
        write_atomically(folder / "20260506T120000Z-x" / name, "{")
    now_s = time.time()

    assert prune(tmp_path, "heavy", 2, now_s + 2 * QUIET_S) == Pruned(runs=1, comparisons=1)
    assert names(runs) == names(comparisons) == days(2, 3, 4, 5, 6)
    assert prune(tmp_path, None, 3, now_s) == Pruned(runs=2, comparisons=2)
    assert names(runs) == names(comparisons) == days(4, 5, 6)
    assert prune(tmp_path, None, 3, now_s) == Pruned(runs=0, comparisons=0)
    assert prune(tmp_path / "absent", None, 1, now_s) == Pruned(runs=0, comparisons=0)


@pytest.mark.parametrize("kind", ["runs", "ab"])
def test_folders_without_a_document_are_deleted_when_nothing_writes_to_them(tmp_path: Path, kind: str) -> None:
    for day in (1, 2):
        folder = tmp_path / kind / f"2026050{day}T120000Z-x"
        write_atomically(folder / "segments" / "01-base" / "locust.log", "a line")
        (folder / "broken").symlink_to("nowhere")
    now_s = time.time()
    assert prune(tmp_path, None, 1, now_s) == Pruned(0, 0)
    assert prune(tmp_path, "light", 1, now_s + 2 * QUIET_S) == Pruned(0, 0)
    # A long run against a host writes nothing for hours.
    with in_use(tmp_path / kind / "20260501T120000Z-x"):
        assert sum(vars_of(prune(tmp_path, None, 1, now_s + 2 * QUIET_S))) == 1
        assert names(tmp_path / kind) == days(1)
    assert sum(vars_of(prune(tmp_path, None, 1, now_s + 2 * QUIET_S))) == 1
    assert names(tmp_path / kind) == set()


def vars_of(pruned: Pruned) -> tuple[int, int]:
    return pruned.runs, pruned.comparisons


@pytest.mark.parametrize("kind", ["runs", "ab"])
def test_a_finished_folder_that_is_in_use_is_kept(tmp_path: Path, run: dict[str, Any], kind: str) -> None:
    for day in (1, 2):
        folder = tmp_path / kind / f"2026050{day}T120000Z-x"
        keep_run(folder, run) if kind == "runs" else keep_comparison(folder)
    with in_use(tmp_path / kind / "20260501T120000Z-x"):
        assert vars_of(prune(tmp_path, None, 1, time.time())) == (0, 0)
    assert sum(vars_of(prune(tmp_path, None, 1, time.time()))) == 1


@pytest.mark.parametrize("kind", ["runs", "ab"])
def test_links_and_other_folders_are_kept_with_everything_that_links_lead_to(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    keep_comparison(outside)
    reports = tmp_path / "reports"
    keep_comparison(reports / kind / "mine")
    (reports / kind / "20260401T120000Z-x").symlink_to(outside, target_is_directory=True)
    (reports / kind / "20260402T120000Z-x").mkdir()
    (reports / kind / "20260402T120000Z-x" / "segments").symlink_to(outside, target_is_directory=True)
    assert sum(vars_of(prune(reports, None, 1, time.time() + 2 * QUIET_S))) == 1
    assert names(reports / kind) == {"mine", "20260401T120000Z-x"}
    assert (outside / "segments" / "01-base" / "run.json").exists()


def test_the_command_prunes_before_it_lists_the_runs(
    tmp_path: Path, run: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "reports" / "performance"
    for day in (1, 2, 3):
        keep_run(reports / "runs" / f"2026050{day}T120000Z-x", run)
        keep_comparison(reports / "ab" / f"2026050{day}T120000Z-x")
    keep_comparison(reports / "ab" / "20260504T120000Z-x")
    monkeypatch.chdir(tmp_path)
    assert history(keep=2) == 0
    printed = capsys.readouterr()
    assert printed.err == "deleted in reports/performance: runs: 1, comparisons: 2, searches: 0\n"
    assert names(reports / "runs") == days(2, 3)
    assert names(reports / "ab") == days(3, 4)
    assert "20260502T120000Z-x" in printed.out
    assert "20260501T120000Z-x" not in printed.out
