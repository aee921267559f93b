"""Test what is started for the sides of a comparison of commits."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgate.project import Project
from loadgate.runner.ab.commits import Repository
from loadgate.runner.ab.sides import CommitSides, SideError, Worktrees
from loadgate.runner.describe import DescribeError, SuiteImportError
from loadgate.runner.suite import Suite
from tests.loadgate.runner.ab.repositories import commit, git, state
from tests.loadgate.running.ab_project import PREPARE, SETTINGS, project

Compare = Callable[..., tuple[CommitSides, list[str]]]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return project(tmp_path / "repo")


def no_suite(project: Project, tree: Path) -> Suite:
    """Return a suite that is not used."""
    assert project.root.is_relative_to(tree)
    return Suite("locustfile.py", project.root, {}, "steady", None)


def said_for(repo: Path, root: Path, said: list[str] | None = None) -> list[str]:
    """Create, prepare and remove the sides. Return the lines that were printed."""
    lines: list[str] = [] if said is None else said
    found = Repository.of(repo)
    folder = repo.parent / "cache"
    folder.mkdir(exist_ok=True)
    with Worktrees(found, folder, root, lines.append, lambda: False).sides(*found.sides(None, None), no_suite):
        assert git(repo, "worktree", "list").count("\n") == 2
    assert git(repo, "worktree", "list").count("\n") == 0
    return lines


def test_each_side_imports_the_code_of_its_own_worktree(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repo, src__shop__where_py="WHERE = 'base'\n")
    (repo / "src" / "shop" / "where.py").write_text("WHERE = 'head'\n")
    monkeypatch.setenv("PYTHONPATH", str(repo / "src"))
    found = Repository.of(repo)
    program = "import shop.where; print(shop.where.WHERE, shop.where.__file__)"
    with Worktrees(found, repo.parent, repo, print, lambda: False).sides(*found.sides(None, None), no_suite) as sides:
        (repo / "src" / "shop" / "where.py").write_text("WHERE = 'edited'\n")
        for side in (sides.base, sides.head):
            # Once as the settings name it, and once as a shell would find it.
            for python in ("made/bin/python", "python"):
                command = [python, "-c", program]
                done = subprocess.run(
                    command, cwd=side.project, env=dict(side.environment), capture_output=True, text=True, check=True
                )
                where, file = done.stdout.split()
                assert where == side.name
                assert Path(file).is_relative_to(side.project)


def test_a_project_can_be_in_a_subfolder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repo = tmp_path / "repo"
    inside = project(repo / "services" / "shop")
    (inside / ".git").rename(repo / ".git")
    commit(repo, "Move")
    (repo / "other.txt").write_text("new")
    before = state(repo)
    lines = said_for(repo, inside)
    assert [line.partition(",")[0] for line in lines] == ["preparing head", "preparing base"]
    assert state(repo) == before
    assert said_for(repo, inside) == []


def test_settings_that_base_does_not_have_are_those_of_head(repo: Path) -> None:
    commit(repo, pyproject_toml="[tool.loadgate]\n")
    (repo / "pyproject.toml").write_text(SETTINGS + PREPARE)
    first, *rest = said_for(repo, repo)
    assert first == "base has no [tool.loadgate.target], so the settings of head are used for it"
    assert len(rest) == 2
    commit(repo, pyproject_toml=SETTINGS)
    (repo / "pyproject.toml").write_text(SETTINGS + PREPARE)
    assert said_for(repo, repo) == ["base has no prepare in [tool.loadgate.target], so that of head is used for it"]


def test_without_prepare_one_line_says_what_the_sides_use(repo: Path) -> None:
    commit(repo, pyproject_toml=SETTINGS)
    (repo / "b.txt").write_text("b")
    (line,) = said_for(repo, repo)
    assert line.startswith("prepare is not set in [tool.loadgate.target], so both sides use the packages of ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("[tool.loadgate]\n", "head has no [tool.loadgate.target] in pyproject.toml"),
        ("[tool.loadgate]\nnonsense = 1\n", "head, working tree ("),
        (SETTINGS + PREPARE.replace("prepare.py", "absent.py"), "prepare ended with exit code 2"),
        (SETTINGS + 'lock = ["a.lock"]\n', "prepared and lock belong together, and need prepare"),
        (SETTINGS + PREPARE.replace('"made"', '"../made"'), "'../made' must be a path within the project"),
    ],
)
def test_a_side_that_cannot_be_prepared_is_named(repo: Path, settings: str, message: str) -> None:
    (repo / "pyproject.toml").write_text(settings)
    with pytest.raises(Exception, match=re.escape(message)) as error:
        said_for(repo, repo)
    assert isinstance(error.value, SideError) or "head has no" in message
    assert git(repo, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize(
    ("error", "prepared"),
    [(DescribeError("unknown profile"), []), (SuiteImportError("no module"), ["preparing head"])],
)
def test_a_wrong_suite_is_reported_as_early_as_it_is_known(
    repo: Path, error: DescribeError, prepared: list[str]
) -> None:
    (repo / "b.txt").write_text("b")
    found, lines = Repository.of(repo), list[str]()

    def wrong_suite(project: Project, tree: Path) -> Suite:
        raise error

    worktrees = Worktrees(found, repo.parent, repo, lines.append, lambda: False)
    with pytest.raises(DescribeError) as raised, worktrees.sides(*found.sides(None, None), wrong_suite):
        pass
    assert raised.value is error
    assert [line.partition(",")[0] for line in lines] == prepared


def test_a_suite_that_needs_what_prepare_creates_is_read_again(repo: Path) -> None:
    (repo / "b.txt").write_text("b")
    found, lines = Repository.of(repo), list[str]()

    def made_suite(project: Project, tree: Path) -> Suite:
        if not (project.root / "made").exists():
            raise SuiteImportError("no module")
        return no_suite(project, tree)

    with Worktrees(found, repo.parent, repo, lines.append, lambda: False).sides(
        *found.sides(None, None), made_suite
    ) as sides:
        assert sides.suite.profile == "steady"
    assert [line.partition(",")[0] for line in lines] == ["preparing head", "preparing base"]
