"""Carry out `loadgate bisect`: prove the regression between GOOD and BAD, search, and print the first bad commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from loadgate.analysis.ab.position import Position, halfway, position
from loadgate.analysis.ab.result import AbResult, Change
from loadgate.analysis.ab.segments import Measure, MeasureKind
from loadgate.analysis.decision import RuleOutcome
from loadgate.errors import RequestError
from loadgate.exit_codes import ExitCode
from loadgate.project import Project
from loadgate.report.ab import wording
from loadgate.report.ab.document import AbDocument
from loadgate.report.text import printable
from loadgate.rules import MetricKind
from loadgate.rules.metrics import RuleSyntaxError, parse_metric
from loadgate.runner.ab.commits import SHORT, Commit, Repository
from loadgate.runner.ab.git import git, git_or_none
from loadgate.runner.ab.request import AbRequest
from loadgate.runner.ab.segments import SegmentError
from loadgate.runner.ab.sides import SideError
from loadgate.runner.ab.worktrees import Worktree, worktrees_folder
from loadgate.runner.bisect.search import Search
from loadgate.runner.describe import DescribeError
from loadgate.runner.run import Say
from loadgate.units import count, plain

Compare = Callable[[AbRequest], AbDocument]
"""Carries out a comparison and writes its files."""

_KINDS = {
    MetricKind.PERCENTILE: MeasureKind.PERCENTILE,
    MetricKind.MEAN: MeasureKind.MEAN,
    MetricKind.FAILURES: MeasureKind.FAILURES,
}


class BisectError(RequestError):
    """Raised if the request for a search is wrong. The text is one line."""


def measure_of(text: str) -> Measure:
    """Return the measure of `auth: p95`, `overall: mean` or `tasks: failures`.

    Raises:
        BisectError: It is not the scope and the metric of a rule that comparisons compare.
    """
    scope, _, name = (part.strip() for part in text.rpartition(":"))
    try:
        metric, end = parse_metric(name, 0)
    except RuleSyntaxError:
        end = -1
    if scope and end == len(name) and metric.kind in _KINDS:
        return Measure(scope, _KINDS[metric.kind], metric.percent)
    raise BisectError(f"RULE {text!r} must be a scope with a percentile, mean or failures, such as 'auth: p95'")


@dataclass(frozen=True, slots=True)
class BisectRequest:
    """The commits GOOD and BAD and the rule of a search. `comparison` has the options of all comparisons."""

    good: str
    bad: str
    measure: Measure
    comparison: AbRequest


def bisect(request: BisectRequest, project: Project, compare: Compare, say: Say) -> ExitCode:
    """Find the first bad commit. Return PASS if it was found, and INCONCLUSIVE if not.

    The user's working tree is not changed, even while a `git bisect` is in progress there.

    Raises:
        BisectError, CommitError: The request or a commit is wrong.
        GitError, SideError, SegmentError: GOOD and BAD cannot be compared.
    """
    repository = Repository.of(project.root)
    good, bad = repository.named(request.good), repository.named(request.bad)
    if good.commit == bad.commit:
        raise BisectError(f"GOOD and BAD are the same commit, {bad}; give an older commit as GOOD")
    if git_or_none(repository.top, "merge-base", "--is-ancestor", good.commit, bad.commit) is None:
        raise BisectError(
            f"GOOD, {good}, is not an ancestor of BAD, {bad}; give an older commit of the same branch as GOOD"
        )
    with worktrees_folder(repository, "bisect") as folder:
        first = replace(
            request.comparison,
            base=good.commit,
            head=bad.commit,
            rule=request.measure,
            purpose=f"1. comparing {bad} with {good}, to prove that {request.measure} is worse",
        )
        document = compare(first)
        ends = _proven(document.result, request.measure, say)
        if ends is None:
            return ExitCode.INCONCLUSIVE
        say(f"proven: {_text(ends)}")
        # Without a rate, each comparison with a closed model would measure its own.
        options = replace(request.comparison, rate=f"{plain(document.plan.rate_per_s)}/s")
        steps = _Steps(request.measure, good, bad, halfway(ends), options, compare, say)
        with Worktree(repository, folder).of(bad) as tree:
            suspects = Search(tree, steps.examine).run(good.commit, bad.commit)
        return _conclude(repository, suspects, steps, ends)


def _proven(result: AbResult, measure: Measure, say: Say) -> Change | None:
    """Return the change from GOOD to BAD if it is a proven regression. Otherwise print why it is not."""
    found = _change(result, measure)
    if found is None:
        compared = ", ".join(str(change.measure) for change in result.rules) or "none"
        raise BisectError(f"no run has the rule {measure}; compared rules: {compared}")
    if guards := wording.broken(result.guards):
        say(f"not proven: {printable(guards[0].sentence)}")
        return None
    if found.outcome is not RuleOutcome.FAIL:
        say(f"not proven, so the search does not start: {_text(found)}; {printable(wording.reason_text(found))}")
        return None
    return found


def _change(result: AbResult, measure: Measure) -> Change | None:
    return next((change for change in result.rules if change.measure == measure), None)


def _text(change: Change) -> str:
    return printable(f"{change.measure} {wording.change_text(change)} ({wording.interval_text(change)})")


@dataclass
class _Steps:
    """The steps of a search. `changes` has the change from each measured commit to BAD."""

    measure: Measure
    good: Commit
    bad: Commit
    half: float
    options: AbRequest
    compare: Compare
    say: Say
    changes: dict[str, Change] = field(default_factory=dict)
    number: int = 1

    def examine(self, commit: str, suspects: int) -> Position:
        """Compare a commit with BAD, whose suite measures all commits. `suspects`: how many commits remain."""
        self.number += 1
        purpose = f"{self.number}. comparing {commit[:SHORT]}: the first bad commit is one of {count(suspects)}"
        try:
            result = self.compare(replace(self.options, base=commit, head=self.bad.commit, purpose=purpose)).result
        except (SideError, SegmentError, DescribeError) as error:
            self.say(f"{commit[:SHORT]} is undecided: {error}")
            return Position.UNDECIDED
        found = _change(result, self.measure)
        if found is None or wording.broken(result.guards):
            reasons = [guard.sentence for guard in wording.broken(result.guards)]
            self.say(
                f"{commit[:SHORT]} is undecided: {printable(reasons[0]) if reasons else f'{self.measure} has no value'}"
            )
            return Position.UNDECIDED
        self.changes[commit] = found
        decided = position(found, self.half)
        self.say(f"{commit[:SHORT]} is {decided.name.lower()}: {_text(found)} from this commit to {self.bad.label}")
        return decided


def _conclude(repository: Repository, suspects: list[str], steps: _Steps, ends: Change) -> ExitCode:
    say = steps.say
    if len(suspects) > 1:
        say(f"INCONCLUSIVE: some commits are undecided; the first bad commit is one of these {count(len(suspects))}:")
        for commit in suspects:
            say(f"  {_described(repository, commit)}")
        return ExitCode.INCONCLUSIVE
    (first,) = suspects
    say(f"first bad commit: {_described(repository, first)}")
    parent = git_or_none(repository.top, "rev-parse", "--verify", "--quiet", f"{first}^") or ""
    known = {steps.good.commit: ends} | steps.changes
    for name, commit in (("its parent", parent), ("the first bad commit", first)):
        if commit in known:
            say(f"from {name} to {steps.bad.label}: {_text(known[commit])}")
    return ExitCode.PASS


def _described(repository: Repository, commit: str) -> str:
    """Return the hash, the subject and the author date of a commit."""
    return printable(git(repository.top, "show", "--no-patch", "--format=%h %s (%as)", commit))
