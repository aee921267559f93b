"""Carry out a search for the capacity: trials, the conclusion, and files."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadgate.analysis.capacity.level import Level
from loadgate.analysis.capacity.plan import End, NextTrial, SearchPlan
from loadgate.analysis.capacity.search import Search
from loadgate.analysis.capacity.trial import Trial
from loadgate.credentials import without_credentials
from loadgate.errors import CommandError, os_error_text
from loadgate.exit_codes import ExitCode
from loadgate.folder_locks import in_use
from loadgate.paths import search_folder
from loadgate.project import Project
from loadgate.report.artefacts import append_job_summary
from loadgate.report.capacity.artefacts import SEARCH_FILES
from loadgate.report.capacity.conclusion import result_of
from loadgate.report.capacity.document import (
    FRESH,
    SCHEMA_VERSION,
    CapacityDocument,
    Latencies,
    LevelRecord,
    ResourceUse,
    SearchRecord,
    ShareRecord,
    TrialRecord,
    UnjudgedRule,
)
from loadgate.report.capacity.limits import judged_limits
from loadgate.report.capacity.summary import markdown_summary
from loadgate.report.capacity.text import capacity_text, trial_line
from loadgate.run.document import RunDocument
from loadgate.run.document.parts import iso_time
from loadgate.runner.capacity.criteria import JudgedRule, capacity_rules, judged_rules
from loadgate.runner.capacity.request import HOST_VARIABLE, CapacityError, CapacityRequest
from loadgate.runner.capacity.trials import latencies_of, resources_of, trial_of, values_of
from loadgate.runner.concluding import conclude
from loadgate.runner.headless import Fresh, StoppedError, measured_run
from loadgate.runner.run import Say
from loadgate.runner.signals import Signals
from loadgate.runner.suite import Suite, frozen_loadgate, suite_of
from loadgate.runner.target import managed_target
from loadgate.units import compact_duration, duration, given, plain

FOLDER = "trials"
"""The folder of the runs of the trials, relative to that of the search."""

POOL_S = 2.0
"""Users for each arrival per second, as in the default of an open model, or for twice the largest latency limit."""

POLL_S = 0.1

ONE_RATE = "--at-least tries only its own rate"


def capacity(request: CapacityRequest, project: Project, say: Say) -> ExitCode:
    """Search the capacity, print the conclusion, and return its exit code.

    Raises:
        CapacityError, DescribeError: The request or the suite is wrong.
        TargetError, NoRunError: A trial cannot be carried out.
    """
    request = replace(request, host=request.host or os.environ.get(HOST_VARIABLE) or None)
    request.check()
    if request.host is None and project.target is None:
        raise CapacityError(f"no host to test: use --host, set {HOST_VARIABLE}, or declare [tool.loadgate.target]")
    with Signals() as signals, frozen_loadgate() as variables:
        try:
            suite = suite_of(request.locustfile, request.profile, request.first, project=project, variables=variables)
            document, folder = _search(request, project, suite, signals, say)
        except CommandError as error:
            if signals.any():
                raise CommandError("interrupted, so there is no result") from error
            raise
    conclude(document, folder, SEARCH_FILES, capacity_text, say)
    for problem in append_job_summary(markdown_summary(document)):
        say(f"loadgate: {problem}")
    return document.exit_code


def _search(
    request: CapacityRequest, project: Project, suite: Suite, signals: Signals, say: Say
) -> tuple[CapacityDocument, Path]:
    """Carry out the trials, and return the document and its folder.

    Raises:
        CommandError: Nothing was measured.
    """
    rules, unjudged = judged_rules(suite.rules)
    started_s = time.time()
    folder = search_folder(project, suite.profile, started_s)
    plan = SearchPlan(
        tuple(item.criterion for item in rules),
        first=request.first_per_s,
        width=request.width,
        trial_s=request.trial_s,
        confirm_s=request.confirm_s,
        settle_s=request.settle_s,
        budget_s=request.budget_s,
        at_least=request.at_least_per_s,
        to=request.to_per_s,
        is_fresh=request.host is None,
    )
    searching = _Searching(request, project, suite, rules, plan, folder, signals, say)
    try:
        with in_use(folder):
            end = searching.run()
    except CommandError:
        if signals.any():
            shutil.rmtree(folder, ignore_errors=True)  # nothing is known yet; after an error, it is kept for its logs
        raise
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only if the folder is empty, because nothing was measured
    return searching.document(end, iso_time(started_s), unjudged), folder


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last trial of a rate shows, for the report."""

    latencies: Latencies
    values_ms: Mapping[str, float | None]
    resources: list[ResourceUse]


@dataclass
class _Searching:
    """A search whose suite is known. `run` fills `records`, and `seen` has the last run of each rate."""

    request: CapacityRequest
    project: Project
    suite: Suite
    rules: Sequence[JudgedRule]
    plan: SearchPlan
    folder: Path
    signals: Signals
    say: Say
    search: Search = field(init=False)
    records: list[TrialRecord] = field(default_factory=list)
    seen: dict[float, _Seen] = field(default_factory=dict)
    last: RunDocument | None = None

    def __post_init__(self) -> None:
        """Start the search."""
        self.search = Search(self.plan)

    def run(self) -> End:
        """Carry out trials until the search ends. An interrupt or an error ends it with the bounds so far.

        Raises:
            StoppedError: A signal has stopped it before anything was measured.
            TargetError, NoRunError: A trial cannot be carried out, and nothing was measured before.
        """
        what = "searching" if self.plan.at_least is None else f"trying {given(self.plan.at_least, '/s')}"
        host = self.request.host
        where = f"at {without_credentials(host)}" if host else "with a fresh target for each trial"
        self.say(f"profile {self.suite.profile}: {what} for at most {duration(self.plan.budget_s)}, {where}")
        while isinstance(step := self.search.step(), NextTrial):
            began = time.monotonic()
            try:
                self._rest(step.rest_s)
                trial = self._trial(step)
            except (CommandError, OSError) as error:
                if not self.search.levels:
                    raise
                return self.search.stop(self._why_stopped(step, error))
            self.search.add(step, trial, time.monotonic() - began)
            seen, level = self.seen.get(step.rate_per_s), self.search.level_at(step.rate_per_s)
            self.say(trial_line(len(self.records), step, trial, level, seen.latencies.p95_ms if seen else None))
        return step

    def _why_stopped(self, step: NextTrial, error: CommandError | OSError) -> str:
        if self.signals.any():
            return "the search was interrupted"
        first, *rest = (os_error_text(error) if isinstance(error, OSError) else str(error)).splitlines()
        for line in rest:
            self.say(line)
        return f"a trial at {given(step.rate_per_s, '/s')} could not be carried out: {first.removesuffix(':')}"

    def _trial(self, step: NextTrial) -> Trial:
        number = len(self.records) + 1
        relative = Path(FOLDER) / f"{number:02d}"
        folder = self.folder / relative
        folder.mkdir(parents=True)
        length_s = self.plan.settle_s + step.length_s
        with self._target(folder) as target:
            document = measured_run(
                self.suite, target, length_s, self._options(step, number), folder=folder, signals=self.signals
            )
        self.last = document
        trial = trial_of(document, step.rate_per_s, self.plan.settle_s, self.rules)
        self.records.append(
            TrialRecord(
                number=number,
                purpose=step.purpose,
                rate_per_s=step.rate_per_s,
                length_s=step.length_s,
                started_at=document.run.started_at,
                folder=relative.as_posix(),
                void=trial.void.reason if trial.void is not None else "",
            )
        )
        if trial.void is None:
            self.seen[step.rate_per_s] = _Seen(
                latencies_of(document), values_of(document, self.rules), resources_of(document, self.plan.settle_s)
            )
        return trial

    def _options(self, step: NextTrial, number: int) -> list[str]:
        """Return Locust's options: the rate, a seed for each trial, and users for slow answers if rules allow them."""
        options = ["--rate", f"{plain(step.rate_per_s)}/s", "--settle", compact_duration(self.plan.settle_s)]
        options += ["--seed", str(self.request.seed + number)]
        slowest_s = max((item.limit_ms or 0.0 for item in self.rules), default=0.0) / 1000
        if 2 * slowest_s > POOL_S:
            users = str(math.ceil(step.rate_per_s * 2 * slowest_s))
            options += ["--users", users, "--spawn-rate", users]
        return options

    @contextlib.contextmanager
    def _target(self, folder: Path) -> Iterator[Fresh]:
        if self.request.host is not None or self.project.target is None:
            yield Fresh(self.request.host or "")
            return
        settings = self.project.target.for_run(folder)
        with managed_target(settings, self.project.root, folder / "target.log", self.signals.any) as target:
            yield Fresh(target.url, target, settings)

    def _rest(self, rest_s: float) -> None:
        """Wait without load, so that a target can recover."""
        until = time.monotonic() + rest_s
        while (left_s := until - time.monotonic()) > 0:
            if self.signals.any():
                raise StoppedError
            time.sleep(min(POLL_S, left_s))

    def document(self, end: End, started_at: str, unjudged: Sequence[UnjudgedRule]) -> CapacityDocument:
        """Return the document of the search."""
        levels, request = self.search.levels, self.request
        limits = capacity_rules(self.suite.rules)
        if self.plan.at_least is not None:
            unjudged = [*unjudged, *(UnjudgedRule(rule=str(rule), reason=ONE_RATE) for rule in limits)]
            limits = []
        search = SearchRecord(
            profile=self.suite.profile,
            target=without_credentials(request.host) if request.host else FRESH,
            first_per_s=self.plan.first,
            to_per_s=self.plan.to if math.isfinite(self.plan.to) else None,
            at_least_per_s=self.plan.at_least,
            width=self.plan.width,
            trial_s=self.plan.trial_s,
            confirm_s=self.plan.confirm_s,
            settle_s=self.plan.settle_s,
            budget_s=self.plan.budget_s,
            seed=request.seed,
        )
        records = [self._level(level) for level in levels]
        return CapacityDocument(
            schema_version=SCHEMA_VERSION,
            started_at=started_at,
            search=search,
            result=result_of(
                end, levels, records, self.search.rule_bounds, search=search, limits=judged_limits(limits, end)
            ),
            not_judged=list(unjudged),
            levels=records,
            trials=self.records,
            load_hash=self.suite.load_hash,
            made_on=self.last.made_on if self.last is not None else None,
        )

    def _level(self, level: Level) -> LevelRecord:
        seen = self.seen[level.rate_per_s]
        return LevelRecord(
            rate_per_s=level.rate_per_s,
            state=level.state,
            trials=len(level.trials),
            completion=level.queue.completion,
            broken=list(level.broken),
            undecided=list(level.undecided),
            shares=[
                ShareRecord(
                    rule=share.criterion.rule,
                    bad=share.bad,
                    requests=share.requests,
                    value_ms=seen.values_ms.get(share.criterion.rule),
                    limit=share.criterion.limit,
                    low=share.interval.low if share.interval else None,
                    high=share.interval.high if share.interval else None,
                    state=share.state,
                )
                for share in level.shares
            ],
            latencies=seen.latencies,
            resources=seen.resources,
        )
