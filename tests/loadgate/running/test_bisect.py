"""Test a whole search: real commits, targets and comparisons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loadgate.runner.ab.repositories import commit, git, state
from tests.loadgate.running.ab_project import project
from tests.loadgate.running.support import FULL, INCONCLUSIVE, PASS, clean_env, loadgate_command
from tests.support import preloaded

pytestmark = [FULL, pytest.mark.process, pytest.mark.timeout(600)]

NAME = 'NAME = "page"\n'
SHORT = ("--pairs", "3", "--measure", "1s", "--settle", "1s")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a project of three commits, the second of which makes each request 40 ms slower."""
    folder = project(tmp_path / "repo", delay_ms=40)
    commit(folder, "Slower", src__shop__answer_py="DELAY_S = 0.08\n")
    commit(folder, "Rename", load__names_py=NAME)
    return folder


def test_the_commit_that_made_a_rule_worse_is_found(repo: Path, tmp_path: Path) -> None:
    before = state(repo)
    command = loadgate_command("bisect", "HEAD~2", "HEAD", "pages: p50", "--profile", "steady", *SHORT)
    variables = clean_env(XDG_CACHE_HOME=str(tmp_path / "cache"))
    # Two comparisons take two minutes on two cores without other programs.
    done = preloaded.run(command, cwd=repo, env=variables, timeout_s=580)
    # Other tests that run at the same time can disturb a comparison, which is then undecided and never wrong.
    assert done.returncode in {PASS, INCONCLUSIVE}, done.stdout + done.stderr
    slower = git(repo, "show", "-s", "--format=%h %s (%as)", "HEAD~1")
    named = [line for line in done.stdout.splitlines() if line.startswith("first bad commit: ")]
    assert named == ([f"first bad commit: {slower}"] if done.returncode == PASS else [])
    if "some commits are undecided" in done.stdout:
        assert f"  {slower}" in done.stdout.splitlines()
    assert state(repo)[1:] == before[1:]
    assert list((tmp_path / "cache").rglob("tree")) == []
