"""Test how the commits of a comparison are found, and that nothing of the user's repository changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgate.runner.ab.commits import CommitError, Repository
from loadgate.runner.ab.git import GitError
from tests.loadgate.runner.ab.repositories import commit, ends, git, repository, state

pytestmark = pytest.mark.process


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def files_of(repo: Path, snapshot: str) -> set[str]:
    return set(git(repo, "ls-tree", "-r", "--name-only", snapshot).splitlines())


def test_the_working_tree_with_untracked_files_is_compared_with_the_merge_base(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    commit(repo, "Ignore", _gitignore="*.log\n", a_txt="a")
    base_commit = commit(repo, "Old", old_txt="old")
    git(repo, "checkout", "--quiet", "-b", "feature")
    commit(repo, "Feature", a_txt="b")
    (repo / "a.txt").write_text("c")
    (repo / "new.txt").write_text("new")
    (repo / "ignored.log").write_text("log")
    (repo / "old.txt").unlink()
    (repo / "staged.txt").write_text("staged")
    git(repo, "add", "staged.txt")
    (repo / "staged.txt").unlink()
    before = state(repo)
    base, head = Repository.of(repo).sides(None, None)
    assert state(repo) == before
    assert (base.commit, base.snapshot) == (base_commit, base_commit)
    assert str(base) == f"{base_commit[:12]} (merge base with main)"
    assert head.commit == git(repo, "rev-parse", "HEAD")
    assert files_of(repo, head.snapshot) == {".gitignore", "a.txt", "new.txt"}
    assert git(repo, "show", f"{head.snapshot}:a.txt") == "c"
    assert str(head) == f"working tree ({head.commit[:12]}, 3 uncommitted files)"
    assert first != base.commit


def test_a_clean_tree_is_its_own_commit(repo: Path) -> None:
    git(repo, "checkout", "--quiet", "-b", "feature")
    commit(repo, b_txt="b")
    base, head = Repository.of(repo).sides(None, None)
    assert head.snapshot == head.commit == git(repo, "rev-parse", "HEAD")
    assert str(head) == f"feature ({head.commit[:12]})"
    assert base.commit == git(repo, "rev-parse", "main")


def test_on_the_default_branch_uncommitted_files_are_compared_with_their_commit_or_else_the_parent(repo: Path) -> None:
    parent = git(repo, "rev-parse", "HEAD")
    second = commit(repo, b_txt="b")
    base, head = Repository.of(repo).sides(None, None)
    assert (base.commit, head.commit) == (parent, second)
    assert str(base) == f"{parent[:12]} (parent of main)"
    (repo / "b.txt").write_text("c")
    base, head = Repository.of(repo).sides(None, None)
    assert base.commit == head.commit == second
    assert head.changed_files == 1


def test_the_default_branch_of_the_remote_comes_first(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "-m", "main", "trunk")
    git(tmp_path, "clone", "--quiet", str(repo), "clone")
    clone = tmp_path / "clone"
    git(clone, "branch", "main", "trunk")
    commit(clone, "Not pushed", b_txt="b")
    git(clone, "branch", "--force", "main", "trunk")
    base, _ = Repository.of(clone).sides(None, None)
    assert str(base) == f"{git(repo, 'rev-parse', 'trunk')[:12]} (merge base with origin/trunk)"


def test_commits_are_named_as_git_names_them(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "Version 1")
    second = commit(repo, b_txt="b")
    base, head = Repository.of(repo).sides("v1", second[:9])
    assert (base.commit, head.commit) == (first, second)
    assert str(base) == f"v1 ({first[:12]})"
    assert str(head) == second[:12]


def test_reports_are_no_uncommitted_files(repo: Path) -> None:
    commit(repo, b_txt="b")
    reports = repo / "reports" / "performance"
    reports.mkdir(parents=True)
    (reports / "run.json").write_text("{}")
    assert Repository.of(repo, reports).sides(None, None)[1].changed_files == 0
    (repo / "c.txt").write_text("c")
    assert Repository.of(repo, reports).sides(None, None)[1].changed_files == 1
    (repo / ".gitignore").write_text("/reports/\n")
    assert Repository.of(repo, reports).sides(None, None)[1].changed_files == 2


def test_a_subfolder_belongs_to_its_repository_and_all_changes_count(repo: Path) -> None:
    commit(repo, services__api__main_py="1", other_txt="1")
    (repo / "other.txt").write_text("2")
    found = Repository.of(repo / "services" / "api")
    assert found.top == repo.resolve()
    assert found.sides(None, None)[1].changed_files == 1


def test_no_hook_runs_and_no_variable_of_a_hook_is_read(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other")
    for name in ("post-index-change", "post-checkout", "pre-commit"):
        hook = repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    (repo / "b.txt").write_text("b")
    assert Repository.of(repo).top == repo.resolve()
    assert Repository.of(repo).sides(None, None)[1].changed_files == 1
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_compared_is_one_line(repo: Path, tmp_path: Path) -> None:
    found = Repository.of(repo)
    with pytest.raises(CommitError, match=r"^unknown commit 'nope'; give a branch, a tag or a hash$"):
        found.sides("nope", None)
    with pytest.raises(CommitError, match=r"^base and head are the same commit, HEAD \(\w{12}\); give BASE"):
        found.sides("main", "HEAD")
    with pytest.raises(CommitError, match=r"^main \(\w{12}\) has no parent to compare with; give BASE"):
        found.sides(None, None)
    git(repo, "branch", "-m", "main", "trunk")
    with pytest.raises(CommitError, match=r"^no default branch was found \(origin/HEAD, main, .*\); give BASE"):
        found.sides(None, None)
    git(repo, "checkout", "--quiet", "--orphan", "main")
    commit(repo, "Unrelated", b_txt="b")
    with pytest.raises(CommitError, match=r"^trunk and main have no merge base; give BASE"):
        found.sides(None, "trunk")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommitError, match=r"/empty: not a git repository .*--base-url URL --head-url URL$"):
        Repository.of(tmp_path / "empty")
    git(tmp_path / "empty", "init", "--quiet")
    with pytest.raises(CommitError, match=r"/empty: the repository has no commits; create one with git commit$"):
        Repository.of(tmp_path / "empty")


def test_a_shallow_clone_says_how_to_get_the_older_commits(repo: Path, tmp_path: Path) -> None:
    old = git(repo, "rev-parse", "HEAD")
    commit(repo, b_txt="b")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repo}", "clone")
    found = Repository.of(tmp_path / "clone")
    with pytest.raises(CommitError, match="this clone is shallow, so get the older commits with git fetch --unshallow"):
        found.sides(None, None)
    with pytest.raises(CommitError, match=r"^unknown commit .*; this clone is shallow"):
        found.sides(old, None)


def test_without_git_one_line_says_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo))
    with pytest.raises(GitError, match=r"^a comparison of commits needs git: No such file or directory$"):
        Repository.of(repo)


@pytest.mark.parametrize(
    "name", ["^HEAD", "HEAD..HEAD~1", "--since=yesterday", "--all", "--upload-pack=touch x", "", "a\nb"]
)
def test_a_name_that_is_no_commit_is_unknown(repo: Path, name: str) -> None:
    commit(repo, b_txt="b")
    with pytest.raises(CommitError, match=f"^{re.escape(f'unknown commit {name!r}; give a branch, a tag or a hash')}$"):
        Repository.of(repo).sides(name, "HEAD")


@pytest.mark.parametrize("name", ["--upload-pack=x", "a\u202eb", "@team#1;$(x)", "a|b&`c`"])
def test_a_branch_can_have_any_name_that_git_allows(repo: Path, name: str) -> None:
    commit(repo, b_txt="b")
    git(repo, "update-ref", f"refs/heads/{name}", "HEAD~1")
    base, _ = Repository.of(repo).sides(name, "HEAD")
    assert (base.label, base.commit) == (name, git(repo, "rev-parse", "HEAD~1"))


def test_no_program_of_the_settings_and_no_other_index_is_used(repo: Path, tmp_path: Path) -> None:
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(program))
    git(repo, "config", "core.splitIndex", "true")
    (repo / "b.txt").write_text("b")
    before = set((repo / ".git").iterdir())
    assert Repository.of(repo).sides(None, None)[1].changed_files == 1
    assert not (tmp_path / "ran").exists()
    assert set((repo / ".git").iterdir()) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("GIT_LITERAL_PATHSPECS", "1"), ("GIT_ICASE_PATHSPECS", "1"), ("GIT_NAMESPACE", "x"), ("GIT_SHALLOW_FILE", "x")],
)
def test_variables_do_not_change_what_is_compared(
    repo: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repo, b_txt="b")
    for folder in ("reports", "Reports"):
        (repo / folder).mkdir()
        (repo / folder / "x").write_text("x")
    monkeypatch.setenv(name, value)
    base, head = Repository.of(repo, repo / "reports").sides(None, None)
    assert (head.changed_files, "Reports/x" in files_of(repo, head.snapshot)) == (1, True)
    assert base.commit == git(repo, "rev-parse", "HEAD")


def failing_filter(repo: Path) -> None:
    (repo / ".gitattributes").write_text("*.txt filter=broken\n")
    git(repo, "config", "filter.broken.required", "true")
    git(repo, "config", "filter.broken.clean", "false")
    (repo / "b.txt").write_text("b")


def repository_without_commits(repo: Path) -> None:
    (repo / "inner").mkdir()
    git(repo / "inner", "init", "--quiet")


def damaged_index(repo: Path) -> None:
    (repo / ".git" / "index").write_bytes(b"damaged" * 100)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (failing_filter, r"^git add: .*[ab]\.txt: clean filter 'broken' failed$"),
        (repository_without_commits, r"^git add: 'inner/' does not have a commit checked out; adding files failed$"),
        (damaged_index, r"^git add: .*index file corrupt$"),
    ],
)
def test_the_message_of_git_says_which_file_and_why(repo: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(repo)
    with pytest.raises(GitError, match=message):
        Repository.of(repo).sides(None, None)


def test_a_filter_that_never_ends_is_stopped(repo: Path, tmp_path: Path) -> None:
    child = tmp_path / "child"
    (repo / ".gitattributes").write_text("*.txt filter=slow\n")
    git(repo, "config", "filter.slow.clean", f"sh -c 'echo $$ > {child}; exec sleep 600'")
    (repo / "b.txt").write_text("b")

    def has_started() -> bool:
        return child.exists() and child.read_text().endswith("\n")

    with pytest.raises(GitError, match=r"^git add: interrupted$"):
        Repository.of(repo, give_up=has_started).sides(None, None)
    assert ends(int(child.read_text()))
