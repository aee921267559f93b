"""Test whole comparisons: their files, their ends, and that they leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.loadgate.runner.ab.repositories import commit, git, state
from tests.loadgate.running.ab_project import project
from tests.loadgate.running.support import (
    ERROR,
    FULL,
    INCONCLUSIVE,
    PASS,
    USAGE,
    Started,
    finish,
    loadgate_command,
    wait_until,
)
from tests.loadgate.stub_server import stub_server

SHORT = ("--pairs", "2", "--measure", "1s", "--settle", "1s", "--seed", "1")
LENIENT = ("--worse", "1e9%")
"""With two pairs, intervals are so wide that only these margins pass."""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a project whose head is slower than its base, and names its requests differently."""
    folder = project(tmp_path / "repo", delay_ms=5)
    commit(folder, "Slower", src__shop__answer_py="DELAY_S = 0.05\n", load__names_py='NAME = "of head"\n')
    return folder


def cache(folder: Path) -> str:
    return str(folder.parent / "cache")


def comparison(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the ab.json of the only comparison."""
    (found,) = (folder / "reports" / "performance" / "ab").iterdir()
    return found, json.loads((found / "ab.json").read_text())


def changes(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{item['measure']['scope']}: {item['measure']['kind']} {item['measure']['percentile'] or ''}".strip(): item
        for item in document["result"]["rules"]
    }


def test_two_commits_are_compared_with_the_suite_of_head(repo: Path, tmp_path: Path) -> None:
    before = state(repo)
    page = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md")}
    command = loadgate_command("ab", "HEAD~1", "HEAD", *SHORT, *LENIENT)
    done = finish(command, repo, XDG_CACHE_HOME=cache(repo), **page)
    assert done.returncode == PASS, done.stdout + done.stderr
    assert state(repo)[1:] == before[1:]
    folder, document = comparison(repo)
    (rule,) = changes(document).values()
    assert rule["base"] < 40 < rule["head"]
    assert [item["rule"] for item in document["not_compared"]] == ["pages: requests > 1"]
    assert [name["name"] for name in document["result"]["names"]] == ["of head"]
    plan = document["plan"]
    assert (plan["rate_per_s"], plan["rate_from"], plan["seed"]) == (40, "the mean rate of the profile", 1)
    assert plan["base"]["commit"] == git(repo, "rev-parse", "HEAD~1")
    segments = document["segments"]
    assert [item["pair"] for item in segments] == [1, 1, 2, 2]
    assert {item["side"] for item in segments[:2]} == {"base", "head"} == {item["side"] for item in segments[2:]}
    assert segments[0]["side"] != segments[2]["side"]
    assert all(item["control_ms"] > 0 and item["problem"] == "" for item in segments)
    assert all(item["rate_per_s"] == pytest.approx(40, rel=0.02) for item in segments)
    assert all((folder / item["folder"] / "run.json").exists() for item in segments)
    assert (tmp_path / "page.md").read_text() == (folder / "summary.md").read_text()
    base, head, takes, *lines = done.stdout.splitlines()
    assert base.startswith("base: ")
    assert head.startswith("head: HEAD (")
    assert takes.startswith("2 pairs with 2 s for each side are 8 s of load, without the starts of targets; 2 more ")
    measured = [line for line in lines if re.match(r"pair [12] of 2, (base|head): pages: p50 ", line)]
    assert [bool(re.search(r" \(about \d+ (s|min) left\)$", line)) for line in measured] == [True, True, True, False]


@FULL
def test_a_version_that_keeps_memory_of_each_request_has_a_higher_growth(repo: Path) -> None:
    service = (repo / "src/shop/__main__.py").read_text()
    keeping = service.replace("time.sleep(DELAY_S)", "KEPT.append(os.urandom(50_000))").replace(
        "import http.server", "import os, http.server"
    )
    (repo / "src/shop/__main__.py").write_text("KEPT = []\n" + keeping)
    command = loadgate_command("ab", "HEAD~1", *SHORT, "--metric", "memory")
    done = finish(command, repo, XDG_CACHE_HOME=cache(repo))
    # Two pairs are too few to fail.
    assert done.returncode == INCONCLUSIVE, done.stdout + done.stderr
    _, document = comparison(repo)
    (rule,) = changes(document).values()
    assert rule["measure"]["kind"] == "memory"
    assert 25_000 < rule["change"] < 100_000
    assert all(change > 25_000 for change in rule["pairs"])
    assert document["plan"]["metric"] == "memory"


def too_wide(output: str, columns: int) -> list[str]:
    """Return the lines that are wider than the terminal although they could be wrapped. Paths are never broken."""
    return [line for line in output.splitlines() if len(line) > columns and " " in line.strip()]


@FULL
def test_two_deployments_are_compared_at_the_rate_of_the_closed_model(tmp_path: Path) -> None:
    project(tmp_path)
    suite = tmp_path / "load" / "locustfile.py"
    suite.write_text(suite.read_text().replace("name=NAME)", "name=NAME); self.client.get('/', name='twice')"))
    options = ["--profile", "closed", "--measure", "2s", "--settle", "1s", "--pairs", "2", *LENIENT]
    with stub_server() as base, stub_server() as head:
        base.delay_s, head.delay_s = 0.002, 0.06
        command = loadgate_command("ab", "--base-url", base.url, "--head-url", head.url, *options)
        done = finish(command, tmp_path, COLUMNS="40")
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    assert too_wide(done.stdout, 40) == []
    _, document = comparison(tmp_path)
    (rule,) = changes(document).values()
    assert rule["base"] < 50 < rule["head"]
    plan = document["plan"]
    assert plan["rate_from"] == "measured with the profile's closed model on base"
    # Four users that wait for 0.1 s between tasks of two requests.
    assert 15 < plan["rate_per_s"] <= 40
    assert (plan["base"]["url"], plan["head"]["url"]) == (base.url, head.url)
    assert plan["base"]["commit"] is None


@FULL
def test_a_plan_says_what_it_would_find(tmp_path: Path) -> None:
    project(tmp_path)
    with stub_server() as base, stub_server() as head:
        urls = ["--base-url", base.url, "--head-url", head.url]
        done = finish(loadgate_command("ab", *urls, *SHORT[2:], "--plan"), tmp_path, COLUMNS="80")
    assert done.returncode == PASS, done.stdout + done.stderr
    assert too_wide(done.stdout, 80) == []
    assert re.search(r"^pages: p50: 20 pairs detect \+[\d.]+ %", done.stdout, re.MULTILINE)
    assert "PASS" not in done.stdout
    assert list((tmp_path / "reports" / "performance" / "ab").iterdir()) == []


def test_a_side_that_does_not_start_is_named_with_its_commit_and_its_last_lines(repo: Path) -> None:
    broken = commit(repo, "Broken", src__shop__answer_py="raise SystemExit('no answer')\n")
    commit(repo, "Repaired", src__shop__answer_py="DELAY_S = 0\n")
    done = finish(loadgate_command("ab", "HEAD~1", *SHORT), repo, XDG_CACHE_HOME=cache(repo))
    assert done.returncode == ERROR
    first, *rest = done.stderr.splitlines()
    expected = f"loadgate: base, HEAD~1 ({broken[:12]}): the target ended with exit code 1; its last lines:"
    assert first == expected
    assert rest[0] == "loadgate:     no answer"
    assert git(repo, "worktree", "list").count("\n") == 0


def test_a_segment_that_cannot_be_measured_says_why(repo: Path) -> None:
    commit(repo, "No class", load__locustfile_py=(repo / "load/locustfile.py").read_text().replace("[]", "None"))
    settings = (repo / "pyproject.toml").read_text()
    check = '[[tool.loadgate.doctor]]\nname = "queue"\nkind = "tcp"\nwhere = "127.0.0.1:9"\n'
    (repo / "pyproject.toml").write_text(settings + check)
    done = finish(loadgate_command("ab", *SHORT), repo, XDG_CACHE_HOME=cache(repo))
    assert done.returncode == ERROR
    (line,) = done.stderr.splitlines()
    assert re.match(r"loadgate: (base|head), .*: the load did not start: queue: .*127\.0\.0\.1:9", line)


def is_sampled(pid: int) -> bool:
    """Return whether the sampler of the target runs, which Locust starts with the load."""
    family = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(psutil.NoSuchProcess):
        return any("loadgate.sampler" in process.cmdline() for process in family)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=FULL)])
def test_an_interrupted_comparison_leaves_no_process_and_no_files(
    repo: Path, tmp_path: Path, number: signal.Signals
) -> None:
    before = state(repo)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    variables = {"XDG_CACHE_HOME": cache(repo), "TMPDIR": str(temporary)}
    options = ["--pairs", "2", "--measure", "60s"]
    with Started(loadgate_command("ab", *options), repo, **variables) as started:
        wait_until(lambda: is_sampled(started.process.pid), "the load")
        family = psutil.Process(started.process.pid).children(recursive=True)
        # The target, the control and Locust.
        assert len(family) >= 3
        started.signal(number)
        code = started.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    if number is signal.SIGINT:
        assert code == ERROR
        assert started.output.splitlines()[-1] == "loadgate: interrupted, so there is no result"
        assert list((repo / "reports" / "performance" / "ab").iterdir()) == []
    else:
        assert git(repo, "worktree", "list").count("\n") == 2
        assert len(list(temporary.glob("loadgate-ab-*"))) == 1
        # Any next comparison removes them, also one of another project and one that does not start.
        urls = ["--base-url", "http://127.0.0.1:9", "--head-url", "http://localhost:9"]
        done = finish(loadgate_command("ab", *urls, "--locustfile", "absent.py"), tmp_path, **variables)
        assert done.returncode == USAGE, done.stderr
    assert list(temporary.glob("loadgate-ab-*")) == []
    assert state(repo)[1:] == before[1:]
