"""Search for the first bad commit with `git bisect` in a worktree, which does not affect other worktrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadgate.analysis.ab.position import Position
from loadgate.runner.ab.git import FILES_TIMEOUT_S, GitError, GitTimeoutError, git

_MARKS = {Position.GOOD: "good", Position.BAD: "bad", Position.UNDECIDED: "skip"}


@dataclass(frozen=True, slots=True)
class Search:
    """A search in the working tree `tree`. `examine` measures a commit."""

    tree: Path
    examine: Callable[[str, int], Position]

    def run(self, good: str, bad: str) -> list[str]:
        """Return the first bad commit. If undecided commits remain, return all commits that can be the first bad one.

        `good` must be an ancestor of `bad`. `examine` gets the commit, and the number of commits that can still be the
        first bad one.
        """
        git(self.tree, "bisect", "start", bad, good, timeout_s=FILES_TIMEOUT_S)
        suspects = self._suspects()
        while len(suspects) > 1:
            commit = git(self.tree, "rev-parse", "HEAD")
            mark = _MARKS[self.examine(commit, len(suspects))]
            try:
                git(self.tree, "bisect", mark, timeout_s=FILES_TIMEOUT_S)
            except GitTimeoutError:
                raise
            except GitError:
                # git reports an error if only undecided commits remain.
                return self._suspects()
            suspects = self._suspects()
        return suspects

    def _suspects(self) -> list[str]:
        """Return the commits that can be the first bad one, newest first."""
        listed = git(self.tree, "rev-list", "refs/bisect/bad", "--not", "--glob=refs/bisect/good-*")
        return listed.splitlines()
