"""Carry out a comparison: sides, pairs of segments, decisions, and files."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgate.analysis.ab.judge import judge
from loadgate.analysis.ab.power import powers
from loadgate.analysis.ab.result import AbResult
from loadgate.analysis.ab.segments import Comparison
from loadgate.errors import CommandError
from loadgate.exit_codes import ExitCode
from loadgate.folder_locks import in_use
from loadgate.paths import comparison_folder, searches_path
from loadgate.project import Project
from loadgate.report.ab.artefacts import COMPARISON_FILES
from loadgate.report.ab.document import AbDocument, PlanRecord, UncomparedRule
from loadgate.report.ab.summary import markdown_summary
from loadgate.report.ab.text import ab_text
from loadgate.report.artefacts import append_job_summary
from loadgate.run.document.parts import iso_time
from loadgate.runner.ab.commits import Repository
from loadgate.runner.ab.control import control_server
from loadgate.runner.ab.measures import check_rule, comparison_of
from loadgate.runner.ab.pairs import Pairs
from loadgate.runner.ab.rate import Rate, given_rate, measured_rate
from loadgate.runner.ab.request import MAX_SEED, PLANNING_PAIRS, AbRequest
from loadgate.runner.ab.segments import Load, Meter
from loadgate.runner.ab.sides import Deployment, Side, Worktrees
from loadgate.runner.ab.suite import given_in_worktree
from loadgate.runner.ab.worktrees import remove_left_worktrees, worktrees_folder
from loadgate.runner.concluding import conclude
from loadgate.runner.run import Say
from loadgate.runner.signals import Signals
from loadgate.runner.suite import Suite, frozen_loadgate, suite_of
from loadgate.runner.temporary import delete_left_folders
from loadgate.units import count, duration, given


def ab(request: AbRequest, project: Project, say: Say) -> ExitCode:
    """Compare two versions of a service, print the conclusion, and return its exit code.

    Raises:
        AbError, CommitError, DescribeError: The request, a commit or the suite is wrong.
        GitError, SideError, SegmentError: The comparison cannot be carried out.
        ArtefactError: Some files could not be written. The conclusion was printed.
    """
    if request.only_plan:
        with _ready(request, project, say) as comparing:
            return comparing.plan()
    document, folder = compare(request, project, say)
    conclude(document, folder, COMPARISON_FILES, ab_text, say)
    for problem in append_job_summary(markdown_summary(document)):
        say(f"loadgate: {problem}")
    return document.exit_code


def compare(request: AbRequest, project: Project, say: Say) -> tuple[AbDocument, Path]:
    """Compare two versions of a service. Return the document, and the folder for it, which has the segments.

    Raises:
        AbError, CommitError, DescribeError: The request, a commit or the suite is wrong.
        GitError, SideError, SegmentError: The comparison cannot be carried out.
    """
    with _ready(request, project, say) as comparing:
        return comparing.compare()


@contextlib.contextmanager
def _ready(request: AbRequest, project: Project, say: Say) -> Iterator[_Comparing]:
    """Give a comparison whose sides are ready. Signals are collected during the block."""
    request.check()
    with Signals() as signals:
        for problem in (*delete_left_folders(), *remove_left_worktrees()):
            say(f"loadgate: {problem}")
        try:
            with _sides(request, project, signals, say) as (base, head, suite):
                yield _Comparing(request, project, base, head, suite, signals, say)
        except CommandError as error:
            if signals.any():
                raise CommandError("interrupted, so there is no result") from error
            raise


@contextlib.contextmanager
def _sides(request: AbRequest, project: Project, signals: Signals, say: Say) -> Iterator[tuple[Side, Side, Suite]]:
    """Give base, head and the suite. The worktrees of commits exist until the end of the block."""
    if request.urls is not None:
        base, head = Deployment("base", request.urls[0]), Deployment("head", request.urls[1])
        with frozen_loadgate() as variables:
            suite = _suite(request, request.locustfile, project, variables)
            say(_first_lines(request, base, head))
            yield base, head, suite
        return
    repository = Repository.of(project.root, project.reports_path, signals.any)
    commits = repository.sides(request.base, request.head)
    with worktrees_folder(repository) as folder, frozen_loadgate() as variables:
        worktrees = Worktrees(repository, folder, project.root, say, signals.any)

        def read_suite(project: Project, tree: Path) -> Suite:
            files = given_in_worktree(request.locustfile, project, repository.top, tree)
            return _suite(request, files, project, variables, project.root)

        with worktrees.sides(*commits, read_suite, _first_lines(request, *commits)) as sides:
            yield sides.base, sides.head, sides.suite


def _suite(
    request: AbRequest, files: str | None, project: Project, variables: Mapping[str, str], current: Path | None = None
) -> Suite:
    """Return the suite, whose profile has the rule of the request."""
    suite = suite_of(files, request.profile, request.rate, project=project, variables=variables, current=current)
    if request.rule is not None:
        check_rule(request.rule, suite.profile, suite.rules)
    return suite


def _first_lines(request: AbRequest, base: object, head: object) -> str:
    """Return why and what is compared, and how long the load takes, without the time to start the targets."""
    pairs = PLANNING_PAIRS if request.only_plan else request.pairs
    segment_s = request.settle_s + request.measure_s
    whole, each = duration(2 * pairs * segment_s), duration(segment_s)
    takes = f"{count(pairs)} pairs with {each} for each side are {whole} of load, without the starts of targets"
    again = "" if request.only_plan else f"; {count(pairs)} more follow if the result is then inconclusive"
    why = f"{request.purpose}\n" if request.purpose else ""
    return f"{why}base: {base}\nhead: {head}\n{takes}{again}"


@dataclass(frozen=True, slots=True)
class _Comparing:
    """A comparison whose sides are ready."""

    request: AbRequest
    project: Project
    base: Side
    head: Side
    suite: Suite
    signals: Signals
    say: Say

    def compare(self) -> tuple[AbDocument, Path]:
        """Measure and judge pairs. Return the document and its folder."""
        started_s = time.time()
        with self._pairs(started_s) as pairs:
            result, uncompared = self._judged(pairs)
        document = AbDocument.of(
            self._plan(pairs),
            result,
            pairs.records,
            started_at=iso_time(started_s),
            not_compared=uncompared,
            made_on=pairs.made_on,
        )
        return document, pairs.folder

    def plan(self) -> ExitCode:
        """Measure a few pairs, and print which changes the comparison would detect. The pairs are not kept."""
        with self._pairs(time.time()) as pairs:
            pairs.measure(PLANNING_PAIRS)
        comparison, _ = self._comparison(pairs)
        self.say("changes that a comparison with these options detects with a probability of 80 %:")
        for power in powers(pairs.measured, comparison):
            self.say(power.sentence)
        shutil.rmtree(pairs.folder, ignore_errors=True)
        return ExitCode.PASS

    @contextlib.contextmanager
    def _pairs(self, started_s: float) -> Iterator[Pairs]:
        """Give the pairs, with their folder, rate and seed. The control runs until the end of the block.

        After an interrupt, the folder is deleted: it has no result. After an error, it is kept for its logs.
        """
        request, suite = self.request, self.suite
        load = Load(suite, request.settle_s, request.measure_s)
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        folder = comparison_folder(self.project, suite.profile, started_s)
        try:
            with in_use(folder), control_server() as control:
                meter = Meter(load, control, self.signals)
                rate = self._rate(meter, folder / "rate")
                self.say(f"profile {suite.profile} at {given(rate.per_s, '/s')} ({rate.origin}), seed {seed}")
                yield Pairs((self.base, self.head), meter, rate, seed, folder, self.say, request.pairs, request.metric)
        except CommandError:
            if self.signals.any():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()  # succeeds only if the folder is empty, because nothing was measured

    def _rate(self, meter: Meter, folder: Path) -> Rate:
        if (rate := given_rate(self.request, self.suite, searches_path(self.project))) is not None:
            return rate
        self.say(f"profile {self.suite.profile} has a closed model: measuring its arrival rate on base in two runs")
        return measured_rate(self.base, meter, folder)

    def _judged(self, pairs: Pairs) -> tuple[AbResult, list[UncomparedRule]]:
        """Measure until the result is final, or until a segment cannot be compared."""
        for look in self.request.looks:
            pairs.measure(look)
            comparison, uncompared = self._comparison(pairs)
            result = judge(pairs.measured, comparison)
            if result.is_final:
                break
        return result, uncompared

    def _comparison(self, pairs: Pairs) -> tuple[Comparison, list[UncomparedRule]]:
        request = self.request
        return comparison_of(pairs.seen, request.margins, request.looks, request.metric)

    def _plan(self, pairs: Pairs) -> PlanRecord:
        margins, load = self.request.margins, pairs.meter.load
        return PlanRecord(
            base=self.base.record,
            head=self.head.record,
            profile=self.suite.profile,
            rate_per_s=pairs.rate.per_s,
            rate_from=pairs.rate.origin,
            settle_s=load.settle_s,
            measure_s=load.measure_s,
            pairs=self.request.pairs,
            seed=pairs.seed,
            ignore=margins.ignore,
            worse=margins.worse,
            ignore_failures=margins.ignore_failures,
            worse_failures=margins.worse_failures,
            ignore_ms=margins.ignore_ms,
            metric=self.request.metric,
            ignore_bytes=margins.ignore_bytes,
            locustfile=self.request.locustfile,
        )
