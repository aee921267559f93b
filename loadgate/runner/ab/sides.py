"""The two sides of a comparison. Each gives a fresh target for a segment, or the URL of a deployment."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loadgate.credentials import without_credentials
from loadgate.errors import CommandError, RequestError
from loadgate.project import Project, TargetSettings, load_project
from loadgate.report.ab.document import SideRecord
from loadgate.runner.ab.commits import Commit, Repository
from loadgate.runner.ab.order import SIDES, SideName
from loadgate.runner.ab.preparation import run_prepare, side_environment
from loadgate.runner.ab.worktrees import Worktree
from loadgate.runner.describe import SuiteImportError
from loadgate.runner.headless import Fresh
from loadgate.runner.run import Say
from loadgate.runner.suite import Suite
from loadgate.runner.target import managed_target


class SideError(CommandError):
    """Raised if a side cannot be prepared or started. The text starts with the side and its commit."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A side that is already running, at a URL."""

    name: SideName
    url: str

    def __str__(self) -> str:
        return without_credentials(self.url)

    @property
    def record(self) -> SideRecord:
        """Return the record of the side."""
        return SideRecord(label=str(self), url=str(self))

    @contextlib.contextmanager
    def target(self, folder: Path, give_up: Callable[[], bool]) -> Iterator[Fresh]:  # noqa: ARG002 - see CommitSide
        """Give the URL."""
        yield Fresh(self.url)


@dataclass(frozen=True, slots=True)
class CommitSide:
    """A side that is started from the worktree of a commit. `project` is the project's folder in the worktree."""

    name: SideName
    commit: Commit
    project: Path
    settings: TargetSettings
    environment: Mapping[str, str]

    def __str__(self) -> str:
        return str(self.commit)

    @property
    def record(self) -> SideRecord:
        """Return the record of the side."""
        commit = self.commit
        return SideRecord(label=commit.label, commit=commit.commit, changed_files=commit.changed_files)

    @contextlib.contextmanager
    def target(self, folder: Path, give_up: Callable[[], bool]) -> Iterator[Fresh]:
        """Start the target, and stop it at the end. `folder` is the folder of the segment.

        Raises:
            SideError: The target does not start.
        """
        settings, log = self.settings.for_run(folder), folder / "target.log"
        with contextlib.ExitStack() as stack:
            with named_side(self.name, self.commit):
                target = stack.enter_context(managed_target(settings, self.project, log, give_up, self.environment))
            yield Fresh(target.url, target, settings)


Side = Deployment | CommitSide


@contextlib.contextmanager
def named_side(name: SideName, commit: Commit) -> Iterator[None]:
    """Add the side and its commit to the error of a block."""
    try:
        yield
    except CommandError as error:
        raise SideError(f"{name}, {commit}: {error}") from error


@dataclass(frozen=True, slots=True)
class CommitSides:
    """The sides of two commits, and the suite of head, which measures both."""

    base: CommitSide
    head: CommitSide
    suite: Suite


ReadSuite = Callable[[Project, Path], Suite]
"""Reads the suite of a project in a worktree, and raises DescribeError if it cannot be used."""


@dataclass(frozen=True, slots=True)
class Worktrees:
    """The worktrees of base and head in `folder`. `root` is the project's folder in the user's working tree."""

    repository: Repository
    folder: Path
    root: Path
    say: Say
    give_up: Callable[[], bool]

    @contextlib.contextmanager
    def sides(
        self, base: Commit, head: Commit, read_suite: ReadSuite, plan: str | None = None
    ) -> Iterator[CommitSides]:
        """Create the worktrees of two commits, prepare them, and remove them at the end. `plan` is said in between.

        A wrong suite or profile is reported before the plan is said and anything is prepared, because that can take
        minutes. If the suite cannot be imported yet, it is read again as soon as head has been prepared.

        Raises:
            SideError: A worktree cannot be prepared, or has no target.
            DescribeError: `read_suite` cannot read the suite of head.
        """
        inside = self.root.resolve().relative_to(self.repository.top)
        with contextlib.ExitStack() as stack:
            trees, projects = [], []
            for name, commit in zip(SIDES, (base, head), strict=True):
                trees.append(Worktree(self.repository, self.folder / name))
                tree = stack.enter_context(trees[-1].of(commit))
                with named_side(name, commit):
                    projects.append(_project_in(tree / inside))
            of_base, of_head, notes = _target_settings(projects[0], projects[1])
            suite = _suite_if_complete(read_suite, projects[1], trees[1].tree)
            for line in ([] if plan is None else [plan]) + notes:
                self.say(line)
            head_side = self._prepared(CommitSide("head", head, trees[1].tree / inside, of_head, {}), trees[1])
            suite = suite or read_suite(projects[1], trees[1].tree)
            base_side = self._prepared(CommitSide("base", base, trees[0].tree / inside, of_base, {}), trees[0])
            yield CommitSides(base_side, head_side, suite)

    def _prepared(self, side: CommitSide, worktree: Worktree) -> CommitSide:
        """Prepare the worktree of a side. Return the side with its environment."""
        settings, project = side.settings, side.project
        if settings.prepare and not worktree.restore(project, settings):
            self.say(f"preparing {side.name}, {side}: {without_credentials(shlex.join(settings.prepare))}")
            environment = side_environment(self.repository.top, worktree.tree, project, settings)
            with named_side(side.name, side.commit):
                run_prepare(settings.prepare, project, environment, worktree.log, self.give_up)
                worktree.note_prepared(project, settings)
        # A virtual environment that has just been created is part of the environment.
        return replace(side, environment=side_environment(self.repository.top, worktree.tree, project, settings))


def _suite_if_complete(read_suite: ReadSuite, project: Project, tree: Path) -> Suite | None:
    """Return the suite. None if it cannot be imported before `prepare` has created what it needs."""
    try:
        return read_suite(project, tree)
    except SuiteImportError:
        return None


def _project_in(folder: Path) -> Project:
    """Return the project in a folder of a worktree. Settings of parent folders are not used."""
    if not folder.is_dir():
        raise RequestError(f"the commit has no folder {folder.name}")
    project = load_project(folder)
    return project if project.root == folder.resolve() else Project(root=folder)


def _target_settings(base: Project, head: Project) -> tuple[TargetSettings, TargetSettings, list[str]]:
    """Return the settings of both targets, and notes on them. Settings that base does not have are taken from head."""
    if head.target is None:
        raise RequestError(
            "head has no [tool.loadgate.target] in pyproject.toml, so it cannot be started; "
            "add the table, or compare deployments with loadgate ab --base-url URL --head-url URL"
        )
    settings, notes = base.target, []
    if settings is None:
        notes.append("base has no [tool.loadgate.target], so the settings of head are used for it")
        settings = head.target
    elif head.target.prepare and not settings.prepare:
        notes.append("base has no prepare in [tool.loadgate.target], so that of head is used for it")
        parts = ("prepare", "prepared", "lock")
        settings = settings.model_copy(update={part: getattr(head.target, part) for part in parts})
    if not settings.prepare and not head.target.prepare:
        notes.append(
            "prepare is not set in [tool.loadgate.target], so both sides use the packages of the current environment"
        )
    return settings, head.target, notes
