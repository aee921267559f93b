"""Test that the next comparison removes what a killed one has left, and nothing that another one uses."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadgate.runner.ab.commits import Repository
from loadgate.runner.ab.worktrees import remove_left_worktrees, worktrees_folder
from loadgate.runner.temporary import PREFIX, delete_left_folders, temporary_folder
from tests.loadgate.runner.ab.repositories import git, repository, state

pytestmark = pytest.mark.process

PROGRAM = """
import contextlib, sys, time
from pathlib import Path
from loadgate.runner.ab.commits import Commit, Repository
from loadgate.runner.temporary import temporary_folder
from loadgate.runner.ab.worktrees import Worktree, worktrees_folder

found, commit = Repository(Path(sys.argv[1])), Commit("main", sys.argv[2], sys.argv[2])
with contextlib.ExitStack() as stack:
    ab, bisect = (stack.enter_context(worktrees_folder(found, use)) for use in ("ab", "bisect"))
    for folder in (ab / "base", ab / "head", bisect):
        stack.enter_context(Worktree(found, folder).of(commit))
    copy = stack.enter_context(temporary_folder())
    (copy / "file").touch()
    print(copy, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of temporary files, in which nobody else has any."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


@contextmanager
def using(repo: Path) -> Iterator[Path]:
    """Run a process that uses three worktrees and a temporary folder. Give the folder, and kill the process."""
    command = [sys.executable, "-c", PROGRAM, str(repo), git(repo, "rev-parse", "HEAD")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def sweep() -> list[str]:
    return [*delete_left_folders(), *remove_left_worktrees()]


def trees(repo: Path) -> int:
    return git(repo, "worktree", "list").count("\n")


def test_what_a_killed_process_has_left_is_removed_and_what_a_live_one_uses_is_not(repo: Path, temporary: Path) -> None:
    before = state(repo)
    with using(repo) as copy:
        assert copy.parent == temporary
        assert sweep() == []
        assert (copy / "file").exists()
        assert trees(repo) == 3
    assert (copy / "file").exists()
    assert trees(repo) == 3
    assert sweep() == []
    assert list(temporary.iterdir()) == []
    assert state(repo) == before
    assert sweep() == []


def test_worktrees_of_a_deleted_repository_are_removed(repo: Path, tmp_path: Path) -> None:
    with using(repo):
        left = [path.parent for path in (tmp_path / "cache").rglob("a.txt")]
        assert len(left) == 3
    repo.rename(tmp_path / "moved")
    assert sweep() == []
    assert not any(path.exists() for path in left)


def test_what_was_prepared_is_kept_for_the_next_comparison(repo: Path) -> None:
    with worktrees_folder(Repository(repo)) as folder:
        owner = (folder / "repository").read_bytes()
    side = folder / "base"
    git(repo, "worktree", "add", "--detach", str(side / "tree"), "HEAD")
    (side / "tree" / ".venv").mkdir()
    (side / "prepared.paths").write_text(".venv\n")
    (side / "prepared.key").write_text("key")
    (folder / "repository").write_bytes(owner)
    assert sweep() == []
    assert (side / "prepared" / ".venv").is_dir()
    assert trees(repo) == 0


def test_a_worktree_whose_creation_was_killed_is_removed(repo: Path) -> None:
    with worktrees_folder(Repository(repo)) as folder:
        # Git writes this entry first, and the files of the tree last.
        entry = repo / ".git" / "worktrees" / "tree"
        entry.mkdir(parents=True)
        tree = folder / "base" / "tree"
        for name, text in {
            "locked": "initializing", "gitdir": f"{tree}/.git\n", "commondir": "../..\n", "HEAD": f"{'0' * 40}\n"
        }.items():  # fmt: skip
            (entry / name).write_text(text)
        assert trees(repo) == 1
        owner = (folder / "repository").read_bytes()
    (folder / "repository").write_bytes(owner)
    assert sweep() == []
    assert trees(repo) == 0


def test_folders_of_other_programs_and_links_are_kept(temporary: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (temporary / "loadgate-other").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(outside, target_is_directory=True)
    (temporary / f"{PREFIX}file").touch()
    with temporary_folder() as folder:
        problems = sweep()
        assert [line.partition(": ")[0] for line in problems] == [str(temporary / f"{PREFIX}file")]
        assert folder.exists()
    assert {path.name for path in temporary.iterdir()} == {"loadgate-other", f"{PREFIX}link", f"{PREFIX}file"}
    assert outside.exists()
