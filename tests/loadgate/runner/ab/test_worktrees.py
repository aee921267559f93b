"""Test that worktrees are always removed, and that what was prepared in them is used again."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgate.errors import CommandError
from loadgate.paths import cache_folder
from loadgate.project import TargetSettings
from loadgate.runner.ab import preparation
from loadgate.runner.ab.commits import Commit, Repository
from loadgate.runner.ab.preparation import PrepareError, run_prepare, side_environment
from loadgate.runner.ab.worktrees import BusyError, Worktree, remove_left_worktrees, worktrees_folder
from tests.loadgate.runner.ab.repositories import commit, ends, git, repository, state

pytestmark = pytest.mark.process

NOBODY = 65534
COMMAND = (sys.executable, "-c", "print('prepared')")
SETTINGS = TargetSettings(
    command=("true",), ready_line="x", prepare=COMMAND, prepared=(".venv", "deep/cache"), lock=("a.lock",)
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def head_of(repo: Path) -> Commit:
    sha = git(repo, "rev-parse", "HEAD")
    return Commit("main", sha, sha)


def prepare(tree: Path, text: str) -> None:
    for path in SETTINGS.prepared:
        (tree / path).mkdir(parents=True)
        (tree / path / "made").write_text(text)


def test_a_worktree_has_the_files_of_the_commit_and_is_removed_at_an_error(repo: Path, cache: Path) -> None:
    before = state(repo)
    found = Repository.of(repo)
    with worktrees_folder(found) as folder:
        assert folder.is_relative_to(cache / "loadgate" / "ab")
        worktree = Worktree(found, folder / "base").of(head_of(repo))
        tree = worktree.__enter__()
        (repo / "a.txt").write_text("edited")
        assert (tree / "a.txt").read_text() == "a"
        (tree / "left.txt").write_text("left")
        error = CommandError("an error")
        assert not worktree.__exit__(CommandError, error, None)
    (repo / "a.txt").write_text("a")
    assert state(repo) == before
    assert not tree.exists()


def test_the_worktree_of_a_killed_comparison_is_removed_by_the_next_one(repo: Path) -> None:
    found = Repository.of(repo)
    with worktrees_folder(found) as folder:
        worktree = Worktree(found, folder / "base")
        # What is left by a process that was killed.
        worktree.folder.mkdir()
        git(repo, "worktree", "add", "--detach", str(worktree.tree), "HEAD")
        with worktree.of(head_of(repo)) as tree:
            assert (tree / "a.txt").exists()
        # What is left if it was killed while the tree was created or removed.
        (tree / "half").mkdir(parents=True)
        with worktree.of(head_of(repo)) as tree:
            assert sorted(path.name for path in tree.iterdir()) == [".git", "a.txt"]
    assert git(repo, "worktree", "list").count("\n") == 0


def test_only_one_comparison_of_a_repository_runs_at_a_time(repo: Path, tmp_path: Path) -> None:
    other = Repository.of(repository(tmp_path / "other"))
    second = worktrees_folder(Repository.of(repo))
    with worktrees_folder(Repository.of(repo)), worktrees_folder(other), pytest.raises(BusyError, match="is running"):
        second.__enter__()
    with worktrees_folder(Repository.of(repo)):
        pass


def test_what_was_prepared_is_at_the_same_path_until_the_lock_file_changes(repo: Path) -> None:
    found = Repository.of(repo)
    commit(repo, a_lock="1", services__api_py="")
    paths = []
    with worktrees_folder(found) as folder:
        worktree = Worktree(found, folder / "base")
        for text in ("1", "1", "2", "2"):
            commit(repo, a_lock=text, b_txt=str(len(paths)))
            with worktree.of(head_of(repo)) as tree:
                is_there = worktree.restore(tree, SETTINGS)
                paths.append((tree, is_there))
                if not is_there:
                    assert not (tree / ".venv").exists()
                    prepare(tree, text)
                    worktree.note_prepared(tree, SETTINGS)
                assert (tree / ".venv" / "made").read_text() == text
                assert (tree / "deep" / "cache" / "made").read_text() == text
    assert [is_there for _, is_there in paths] == [False, True, False, True]
    assert len({tree for tree, _ in paths}) == 1


def test_what_was_prepared_survives_a_killed_comparison_but_half_of_it_does_not(repo: Path) -> None:
    found = Repository.of(repo)
    commit(repo, a_lock="1")
    with worktrees_folder(found) as folder:
        worktree = Worktree(found, folder / "head")
        for is_complete in (False, True):
            left = worktree.of(head_of(repo))
            tree = left.__enter__()
            assert not worktree.restore(tree, SETTINGS)
            prepare(tree, "1")
            if is_complete:
                worktree.note_prepared(tree, SETTINGS)
                # Killed while the paths were moved.
                worktree.folder.joinpath("prepared").mkdir()
                (tree / ".venv").rename(worktree.folder / "prepared" / ".venv")
            with worktree.of(head_of(repo)) as tree:
                assert worktree.restore(tree, SETTINGS) is is_complete
                assert (tree / ".venv" / "made").exists() is is_complete
                assert (tree / "deep" / "cache" / "made").exists() is is_complete
                worktree.folder.joinpath("prepared.key").unlink(missing_ok=True)


def test_a_failed_command_shows_its_last_lines(tmp_path: Path) -> None:
    program = "import sys; print('one'); print('two', file=sys.stderr, flush=True); sys.exit(3)"
    log = tmp_path / "prepare.log"
    with pytest.raises(
        PrepareError, match=r"^prepare ended with exit code 3 \(command: .*\); its last lines:"
    ) as error:
        run_prepare((sys.executable, "-c", program), tmp_path, os.environ, log, lambda: False)
    assert {"    one", "    two"} <= set(str(error.value).splitlines())
    with pytest.raises(PrepareError, match=r"^cannot start prepare: 'nowhere': No such file or directory; correct"):
        run_prepare(("nowhere",), tmp_path, os.environ, log, lambda: False)


def test_an_interrupt_stops_the_command_and_its_children(tmp_path: Path) -> None:
    program = "sleep 60 & echo $! > child; wait"
    child = tmp_path / "child"

    def has_started() -> bool:
        return child.exists() and child.read_text().endswith("\n")

    with pytest.raises(PrepareError, match="interrupted"):
        run_prepare(("sh", "-c", program), tmp_path, os.environ, tmp_path / "log", has_started)
    assert ends(int(child.read_text()))


@pytest.mark.parametrize("leave", ["sleep 600 &", "trap '' TERM; sleep 600 &", "nohup sleep 600 >/dev/null &"])
def test_no_process_of_the_command_outlives_it(tmp_path: Path, leave: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "STOP_S", 0.5)
    run_prepare(("sh", "-c", f"{leave} echo $! > child"), tmp_path, os.environ, tmp_path / "log", lambda: False)
    assert ends(int((tmp_path / "child").read_text()))


def test_of_a_long_output_only_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_TAIL_BYTES", 100)
    program = "print('x' * 10_000); print('last'); raise SystemExit(3)"
    with pytest.raises(PrepareError) as error:
        run_prepare((sys.executable, "-c", program), tmp_path, os.environ, tmp_path / "log", lambda: False)
    assert str(error.value).splitlines()[-1] == "    last"
    assert len(str(error.value)) < 1000


def test_a_command_that_does_not_create_what_it_should_runs_again(repo: Path) -> None:
    found = Repository.of(repo)
    with worktrees_folder(found) as folder:
        worktree = Worktree(found, folder / "base")
        with worktree.of(head_of(repo)) as tree:
            (tree / ".venv").mkdir()
            with pytest.raises(PrepareError, match=r"^prepare has ended, and has not created deep/cache \(output: "):
                worktree.note_prepared(tree, SETTINGS)
        with worktree.of(head_of(repo)) as tree:
            assert not worktree.restore(tree, SETTINGS)
            prepare(tree, "complete")
            worktree.note_prepared(tree, SETTINGS)
        shutil.rmtree(folder / "base" / "prepared" / "deep")
        with worktree.of(head_of(repo)) as tree:
            assert not worktree.restore(tree, SETTINGS)


@pytest.mark.parametrize("given", ["", "relative", "./x"])
def test_the_cache_is_never_in_the_current_folder(given: str, tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": given}
    folder = cache_folder(environment)
    assert folder is not None
    assert folder == Path("~/.cache/loadgate").expanduser()


@pytest.mark.parametrize("home", ["~", "relative"])
def test_without_a_home_folder_one_line_says_what_to_set(
    home: str, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    # Without HOME, Python finds the folder of the user by its number, which containers can choose freely.
    monkeypatch.setenv("HOME", home)
    assert cache_folder(os.environ) is None
    assert list(remove_left_worktrees()) == []
    message = r"^worktrees need a cache folder: set HOME, or XDG_CACHE_HOME to an absolute path$"
    with pytest.raises(CommandError, match=message), worktrees_folder(Repository.of(repo)):
        pass


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Give a folder of a user who is not root, whom permissions do not bind, and become that user."""
    with tempfile.TemporaryDirectory() as name:
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield Path(name)
        if is_root:
            os.seteuid(0)


def test_read_only_folders_are_removed(unprivileged: Path) -> None:
    worktree = Worktree(Repository(unprivileged), unprivileged / "base")
    module = worktree.tree / "go" / "module"
    module.mkdir(parents=True)
    (module / "file").touch()
    for folder in (module, module.parent, worktree.tree):
        folder.chmod(0o500)
    worktree.remove()
    assert not worktree.tree.exists()


def test_nothing_in_the_environment_leads_to_the_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, tree = tmp_path / "top", tmp_path / "tree"
    for folder in (top / "src", tree / ".venv" / "bin", tree / "deep" / "cache" / "bin"):
        folder.mkdir(parents=True)
    for path in SETTINGS.prepared:
        (tree / path / "pyvenv.cfg").touch()
    monkeypatch.setattr(sys, "prefix", str(top / ".venv"))
    monkeypatch.setenv("PATH", f"{top}/.venv/bin:/usr/bin")
    monkeypatch.setenv("VIRTUAL_ENV", f"{top}/.venv")
    monkeypatch.setenv("PYTHONPATH", f"{top}/src:/elsewhere")
    monkeypatch.setenv("GIT_DIR", f"{top}/.git")
    environment = side_environment(top, tree, tree, SETTINGS)
    assert environment["PATH"] == f"{tree}/.venv/bin:{tree}/deep/cache/bin:/usr/bin"
    assert environment["VIRTUAL_ENV"] == f"{tree}/.venv"
    assert environment["PYTHONPATH"] == f"{tree}/src:/elsewhere"
    assert "GIT_DIR" not in environment
    # Without `prepare`, the packages of this environment are all that there is.
    unprepared = side_environment(top, tree, tree, SETTINGS.model_copy(update={"prepare": ()}))
    assert unprepared["PATH"] == f"{top}/.venv/bin:/usr/bin"
    assert unprepared["VIRTUAL_ENV"] == f"{top}/.venv"
