"""Find the commits of a comparison. The working tree becomes a commit; the index and the branches do not change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadgate.errors import RequestError
from loadgate.runner.ab.git import FILES_TIMEOUT_S, GitError, git, git_or_none
from loadgate.runner.temporary import temporary_folder

SHORT = 12
"""Characters of a commit that are shown."""

_BRANCHES = ("main", "master", "origin/main", "origin/master")
"""The names of default branches, for a clone without `origin/HEAD`."""

_GIVE_BASE = "give BASE, such as loadgate ab HEAD~1"


class CommitError(RequestError):
    """Raised if a commit or the repository does not exist. The text is one line."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A side of the comparison.

    - `label`: a name for people, such as a branch.
    - `commit`: the commit, or the one on which the uncommitted files are based.
    - `snapshot`: the commit to check out. It includes the uncommitted files.
    - `origin`: where the commit comes from, one clause, "" if it was given.
    """

    label: str
    commit: str
    snapshot: str
    changed_files: int = 0
    origin: str = ""

    def __str__(self) -> str:
        short = self.commit[:SHORT]
        clauses = [*([short] if self.label != short else []), *([self.origin] if self.origin else [])]
        if self.changed_files:
            clauses.append(
                "1 uncommitted file" if self.changed_files == 1 else f"{self.changed_files} uncommitted files"
            )
        return self.label + (f" ({', '.join(clauses)})" if clauses else "")


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository with a working tree.

    - `top`: the folder of the working tree.
    - `reports`: the folder of the load gate's reports, which never belong to a commit.
    - `give_up`: returns true when commands that can take long must stop.
    """

    top: Path
    reports: Path | None = None
    give_up: Callable[[], bool] = lambda: False

    @classmethod
    def of(cls, folder: Path, reports: Path | None = None, give_up: Callable[[], bool] = lambda: False) -> Repository:
        """Return the repository that contains a folder.

        Raises:
            GitError: There is no git.
            CommitError: The folder is not in a repository, or the repository has no commits.
        """
        git(folder, "--version")
        try:
            repository = cls(Path(git(folder, "rev-parse", "--show-toplevel")).resolve(), reports, give_up)
        except GitError as error:
            raise CommitError(
                f"{folder}: {str(error).removeprefix('git rev-parse: ')}; "
                "change to a git repository, or compare deployments with loadgate ab --base-url URL --head-url URL"
            ) from error
        if git_or_none(repository.top, "rev-parse", "--verify", "HEAD") is None:
            raise CommitError(f"{repository.top}: the repository has no commits; create one with git commit")
        return repository

    def sides(self, base: str | None, head: str | None) -> tuple[Commit, Commit]:
        """Return the commits of base and head.

        Without `head`, the working tree is the head. Without `base`, it is the merge base of head and the default
        branch. If that is the head itself, base is the parent of head.

        Raises:
            CommitError: A commit does not exist, or both are the same.
        """
        head_commit = self.named(head) if head is not None else self._working_tree()
        base_commit = self.named(base) if base is not None else self._default_base(head_commit)
        if base_commit.snapshot == head_commit.snapshot:
            raise CommitError(f"base and head are the same commit, {head_commit}; {_GIVE_BASE}")
        return base_commit, head_commit

    def named(self, name: str) -> Commit:
        """Return the commit of a branch, a tag or a hash.

        Raises:
            CommitError: There is no such commit.
        """
        # git would read a branch such as --all as an option.
        given = f"heads/{name}" if name.startswith("-") else name
        commit = git_or_none(self.top, "rev-parse", "--verify", "--quiet", f"{given}^{{commit}}")
        # A name such as ^main means all other commits.
        if commit is None or not commit.isalnum():
            raise CommitError(f"unknown commit {name!r}{self._hint_if_shallow() or '; give a branch, a tag or a hash'}")
        return Commit(commit[:SHORT] if commit.startswith(name) else name, commit, commit)

    def _working_tree(self) -> Commit:
        commit = git(self.top, "rev-parse", "HEAD")
        branch = git_or_none(self.top, "symbolic-ref", "--quiet", "--short", "HEAD")
        tree = self._tree_of_files()
        if tree == git(self.top, "rev-parse", "HEAD^{tree}"):
            return Commit(branch or commit[:SHORT], commit, commit)
        snapshot = git(self.top, "commit-tree", tree, "-p", commit, "-m", "Working tree")
        changed = git(self.top, "diff-tree", "-r", "--no-renames", "--name-only", "-z", commit, snapshot)
        return Commit("working tree", commit, snapshot, changed.count("\0"))

    def _tree_of_files(self) -> str:
        """Return the tree of all files that git does not ignore. A copy of the index keeps the user's unchanged."""
        with temporary_folder() as folder:
            index = folder / "index"
            own = self.top / git(self.top, "rev-parse", "--git-path", "index")
            if own.exists():
                # Git compares the index's modification time with those of files, so the copy keeps it.
                shutil.copy2(own, index)
            environment = {"GIT_INDEX_FILE": str(index)}
            add = ("-c", "core.safecrlf=false", "add", "--all", *self._paths())
            git(self.top, *add, environment=environment, give_up=self.give_up, timeout_s=FILES_TIMEOUT_S)
            return git(self.top, "write-tree", environment=environment)

    def _paths(self) -> list[str]:
        """Return the paths of all files, for git. Git refuses to exclude a path that it ignores."""
        reports = self.reports.resolve() if self.reports is not None else self.top
        if (
            self.top not in reports.parents
            or git_or_none(self.top, "check-ignore", "--quiet", str(reports)) is not None
        ):
            return []
        return ["--", ":/", f":(top,exclude,literal){reports.relative_to(self.top).as_posix()}"]

    def _default_base(self, head: Commit) -> Commit:
        branch = self._default_branch()
        commit = git_or_none(self.top, "merge-base", branch, head.commit)
        if commit is None:
            raise CommitError(f"{head.label} and {branch} have no merge base{self._hint_if_shallow()}; {_GIVE_BASE}")
        origin = f"merge base with {branch}"
        if commit == head.snapshot:
            parent = git_or_none(self.top, "rev-parse", "--verify", "--quiet", f"{commit}^")
            if parent is None:
                raise CommitError(f"{head} has no parent to compare with{self._hint_if_shallow()}; {_GIVE_BASE}")
            commit, origin = parent, f"parent of {head.label}"
        return Commit(commit[:SHORT], commit, commit, origin=origin)

    def _default_branch(self) -> str:
        named = git_or_none(self.top, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        for branch in (*([named] if named else []), *_BRANCHES):
            if git_or_none(self.top, "rev-parse", "--verify", "--quiet", f"{branch}^{{commit}}"):
                return branch
        raise CommitError(f"no default branch was found (origin/HEAD, {', '.join(_BRANCHES)}); {_GIVE_BASE}")

    def _hint_if_shallow(self) -> str:
        """Return what to do if the clone is shallow, else ""."""
        is_shallow = git(self.top, "rev-parse", "--is-shallow-repository") == "true"
        return "; this clone is shallow, so get the older commits with git fetch --unshallow" if is_shallow else ""
