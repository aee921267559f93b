"""Inject causes of slowness into the real service, and count how often the load gate names the right one.

    python -m benchmarks.calibrate.causes [--only Redis] [--trials 20] [--share 0.95] [--episodes 10] [--parallel 2]

A run is the service on PostgreSQL, and users of its suite with 30 arrivals per second. A cause is injected for 6 s in
each 30 s, and each injection is a trial. Without a cause, each run of two minutes is a trial. A trial is right if there
is an episode at that time and each of them has the true cause; for a delay outside the target, if none of them has a
cause; without a cause, if there is no episode. The exit code is 1 if less than 95 % of the trials of a case are right,
or not all of those in which nothing may be blamed. It needs PostgreSQL and Linux, and root for the case of the CPU. Run
little else on the machine.
"""

from __future__ import annotations

import argparse
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.calibrate.disturbed.running import RunningService, running_service
from benchmarks.calibrate.injections import INJECTIONS, NOTHING, Injection, pin
from benchmarks.calibrate.program import run
from benchmarks.calibrate.runs import locust_run
from benchmarks.calibrate.stubs.server import whole_number
from benchmarks.calibrate.stubs.started import ROOT
from loadgate.analysis.traffic import Span
from loadgate.paths import TARGET_PID_VARIABLE
from loadgate.run.document.conclusions import EpisodeRecord
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.servers.unavailable import ServerUnavailableError

SHARE = 0.95
TRIALS = 20
EPISODES = 10
"""Trials of one run: a run reports at most ten episodes of a scope."""

FIRST_S, EVERY_S, INJECTED_S = 45.0, 30.0, 6.0
"""The first injection begins so long after the start of Locust, because the users register first."""

NULL_S = 120
"""Length of a run without a cause, which is judged after the registration."""

AFTER_S = 6.0
"""An episode that begins so long after the end of an injection is not its effect."""

LOCUSTFILE = Path(__file__).parent / "disturbed/locustfile.py"


class Outcome(StrEnum):
    """What the episodes of a trial name."""

    RIGHT = "named right"
    WRONG = "named wrong"
    NOT_EXPLAINED = "not explained"
    NO_EPISODE = "no episode"


@dataclass(frozen=True, slots=True)
class Run:
    """The trials of one run, and the sentences about episodes at other times."""

    injection: Injection
    outcomes: Sequence[Outcome]
    sentences: Sequence[str]
    others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: the runs of a case."""

    injection: Injection
    runs: Sequence[Run]
    share: float | None = None
    """The share of the trials that must be right. None for that of the case."""

    @property
    def holds(self) -> bool:
        return self._right >= self._needed

    @property
    def _outcomes(self) -> list[Outcome]:
        return [outcome for run in self.runs for outcome in run.outcomes]

    @property
    def _wanted(self) -> Outcome:
        if self.injection.named:
            return Outcome.RIGHT
        return Outcome.NOT_EXPLAINED if self.injection.inject is not None else Outcome.NO_EPISODE

    @property
    def _right(self) -> int:
        return self._outcomes.count(self._wanted)

    @property
    def _needed(self) -> int:
        share = self.share or (SHARE if self.injection.named else 1.0)
        return math.ceil(share * len(self._outcomes))

    def __str__(self) -> str:
        counts = " | ".join(str(self._outcomes.count(outcome)) for outcome in Outcome)
        others = sum(len(run.others) for run in self.runs)
        return (
            f"| {self.injection.name} | {len(self._outcomes)} | {self._needed} {self._wanted} | {counts} | {others} |"
        )


HEAD = f"| cause | trials | needed | {' | '.join(Outcome)} | other episodes |\n| --- | ---: | --- |{' ---: |' * 5}"


def measure(injection: Injection, episodes: int) -> Run:
    """Carry out one run of a case."""
    with running_service(injection.settings) as service:
        if injection.pinned:
            pin(service)
        with fault_proxy(urlsplit(service.url).port or 0) as proxy:
            injected: list[Span] = []
            injector = threading.Thread(target=_inject, args=(injection, service, proxy, episodes, injected))
            injector.start()
            try:
                found = _episodes(injection, service, proxy, episodes)
            finally:
                injector.join()
    return judged(injection, injected, found)


def _inject(
    injection: Injection, service: RunningService, proxy: FaultProxy, episodes: int, injected: list[Span]
) -> None:
    started_s = time.monotonic()
    if injection.inject is None:
        time.sleep(FIRST_S)
        injected.append(Span(time.time(), math.inf))
        return
    for number in range(episodes):
        time.sleep(max(0.0, started_s + FIRST_S + number * EVERY_S - time.monotonic()))
        began_s = time.time()
        injection.inject(service, proxy, INJECTED_S)
        injected.append(Span(began_s, time.time()))


def _episodes(
    injection: Injection, service: RunningService, proxy: FaultProxy, episodes: int
) -> Sequence[EpisodeRecord]:
    length_s = NULL_S if injection.inject is None else FIRST_S + episodes * EVERY_S
    document = locust_run(
        injection.name,
        LOCUSTFILE,
        f"http://127.0.0.1:{proxy.port}",
        ["--load-profile", "causes", "-t", f"{length_s:g}s"],
        environment={TARGET_PID_VARIABLE: str(service.pid)},
        project=ROOT,
    )
    return document.conclusions.episodes


def judged(injection: Injection, injected: Sequence[Span], found: Sequence[EpisodeRecord]) -> Run:
    """Return the outcome of each trial. A run without injections is one trial, which begins after the registration."""
    trials = [[one for one in found if _is_effect(one, span)] for span in injected]
    seen = [one for trial in trials for one in trial]
    others = [one.sentence for one in found if one not in seen]
    return Run(injection, [outcome(injection, trial) for trial in trials], [one.sentence for one in seen], others)


def _is_effect(episode: EpisodeRecord, injected: Span) -> bool:
    return Span(episode.start_s, episode.end_s).overlaps(Span(injected.start_s, injected.end_s + AFTER_S))


def outcome(injection: Injection, episodes: Sequence[EpisodeRecord]) -> Outcome:
    """Return what the episodes at the time of an injection name."""
    if not episodes:
        return Outcome.NO_EPISODE
    named = {episode.cause for episode in episodes}
    if named - injection.named - {None}:
        return Outcome.WRONG
    return Outcome.RIGHT if injection.named and None not in named else Outcome.NOT_EXPLAINED


def measured(injections: Sequence[Injection], trials: int, episodes: int, parallel: int) -> Iterator[Run]:
    """Yield the runs of all cases, `parallel` at a time."""
    jobs: list[tuple[Injection, int]] = []
    for injection in injections:
        each = 1 if injection is NOTHING else episodes
        jobs += [(injection, min(each, trials - done)) for done in range(0, trials, each)]
    with ThreadPoolExecutor(parallel) as pool:
        yield from pool.map(lambda job: measure(*job), jobs)


def prove(
    injections: Sequence[Injection],
    trials: int,
    episodes: int = EPISODES,
    parallel: int = 1,
    share: float | None = None,
) -> bool:
    """Print the table of the cases, and return whether each holds."""
    runs: list[Run] = []
    try:
        for run in measured(injections, trials, episodes, parallel):
            runs.append(run)
            others = (f"another time: {one}" for one in run.others)
            lines = (f"{run.injection.name}: {', '.join(run.outcomes)}", *run.sentences, *others)
            print("\n".join(lines), file=sys.stderr, flush=True)
    except ServerUnavailableError as error:
        print(f"causes cannot be injected: {error}", file=sys.stderr)
        return False
    rows = [Row(injection, [run for run in runs if run.injection is injection], share) for injection in injections]
    print("\n".join((HEAD, *map(str, rows))))
    return all(row.holds for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="TEXT", help="run only cases with TEXT; can be repeated")
    parser.add_argument("--trials", type=whole_number, default=TRIALS, help="trials of each case")
    parser.add_argument("--share", type=float, help="share of the trials of a case that must be right")
    parser.add_argument("--episodes", type=whole_number, default=EPISODES, help="injections of one run")
    parser.add_argument("--parallel", type=whole_number, default=1, help="runs at the same time")
    options = parser.parse_args()
    injections = [injection for injection in INJECTIONS if any(text in injection.name for text in options.only or [""])]
    if not injections:
        parser.error(f"--only {options.only}: no case name contains this text")
    return 0 if prove(injections, options.trials, options.episodes, options.parallel, options.share) else 1


if __name__ == "__main__":
    run(main)
