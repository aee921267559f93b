"""`loadgate history`: past runs with their verdicts, and the values of each rule over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loadgate.report.text import rule_subject
from loadgate.run.document import RUN_FILE, RuleRecord, RunFileError, read_run

RULE_KEYS = ("rule", "scope", "metric", "operator", "limit", "unit", "window_s", "stage", "value", "samples", "outcome")
"""The keys of each rule in `loadgate history --json`."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run in the history. `rules` are those of its verdict."""

    folder: str
    profile: str
    host: str
    started_at: str
    duration_s: float
    outcome: str
    exit_code: int
    reason: str
    requests: int
    failure_rate: float | None
    commit: str | None
    commit_changed: bool
    """Whether the run had uncommitted changes."""
    profile_hash: str | None
    """The fingerprint of the load. None in documents of older versions."""
    machine_hash: str | None
    ending: str
    is_managed: bool
    """Whether loadgate started the target."""
    rules: tuple[RuleRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the run as a JSON object."""
        rules = [rule.model_dump(mode="json") for rule in self.rules]
        return {name: getattr(self, name) for name in self.__slots__} | {
            "rules": [{key: rule[key] for key in RULE_KEYS} for rule in rules]
        }


class Point(NamedTuple):
    """The result of a rule in one run."""

    folder: str
    rule: RuleRecord


class SeriesKey(NamedTuple):
    """What the points of a series have in common: the profile, the fingerprint of its load, and the rule's subject.

    Runs with another profile, number of users or run time are not comparable, so they have a series of their own. The
    fingerprint is None in runs of older versions.
    """

    profile: str
    profile_hash: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class UnreadableRun:
    """A run folder that cannot be read, and the reason."""

    folder: str
    problem: str


def past_runs(runs: Path, profile: str | None, limit: int) -> tuple[list[PastRun], list[UnreadableRun]]:
    """Return the newest runs in the folder `runs`, of one or all profiles, and the folders that cannot be read.

    A folder without a run.json is skipped: its run failed to start, was killed, or is still running.
    """
    found: list[PastRun] = []
    unread: list[UnreadableRun] = []
    for folder in newest_first(runs):
        if len(found) == limit:
            break
        try:
            past = _past_run(folder)
        except RunFileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                continue
            unread.append(UnreadableRun(folder.name, str(error).removeprefix(f"{folder / RUN_FILE}: ")))
            continue
        if profile in {None, past.profile}:
            found.append(past)
    return found, unread


def history_json(found: Sequence[PastRun], unread: Sequence[UnreadableRun]) -> dict[str, Any]:
    """Return the history as a JSON object: the runs, newest first, and the values of each rule, oldest first."""
    return {
        "runs": [run.to_json() for run in found],
        "rules": [
            {
                "profile": key.profile,
                "profile_hash": key.profile_hash,
                "rule": key.rule,
                "unit": points[-1].rule.unit,
                "limit": points[-1].rule.limit,
                "values": [point.rule.value for point in points],
                "outcomes": [point.rule.outcome for point in points],
            }
            for key, points in series_of(found).items()
        ],
        "unread": [asdict(one) for one in unread],
    }


def newest_first(runs: Path) -> Iterator[Path]:
    """Yield the folders of runs, newest first."""
    # The name of a folder starts with the time of its run, so the files need not be read.
    if runs.is_dir():
        yield from sorted((path for path in runs.iterdir() if path.is_dir()), key=_age, reverse=True)


def _age(folder: Path) -> tuple[str, int, str]:
    # The name of the second run within a second ends with a number.
    stamp, _, rest = folder.name.partition("-")
    _, _, number = rest.rpartition("-")
    return stamp, int(number) if number.isdecimal() else 1, folder.name


def _past_run(folder: Path) -> PastRun:
    document = read_run(folder)
    run, verdict, overall = document.run, document.verdict, document.totals.overall
    git, fingerprint = document.made_on.git, document.made_on.fingerprint
    return PastRun(
        folder=folder.name,
        profile=run.profile.name,
        host=run.host,
        started_at=run.started_at,
        duration_s=float(run.duration_s),
        outcome=verdict.outcome,
        exit_code=verdict.exit_code,
        reason=verdict.reason,
        requests=overall.requests,
        failure_rate=overall.failure_rate,
        commit=git.commit if git else None,
        commit_changed=git is not None and git.changed,
        profile_hash=fingerprint.profile if fingerprint else None,
        machine_hash=fingerprint.machine if fingerprint else None,
        ending=run.ending,
        is_managed=document.target is not None,
        rules=tuple(verdict.rules),
    )


def series_of(found: Sequence[PastRun]) -> dict[SeriesKey, list[Point]]:
    """Return the results of each rule in comparable runs, oldest first. The rules of the newest run come first.

    The subject of a rule is its text without the limit, so a changed limit does not start a new series. If a run has
    several limits for a subject, each limit has its own series.
    """
    subjects = [Counter((run.profile, rule_subject(rule)) for rule in run.rules) for run in found]
    several = {subject for counts in subjects for subject, times in counts.items() if times > 1}
    points: dict[SeriesKey, list[Point]] = {}
    for run in found:
        for rule in run.rules:
            subject = rule_subject(rule)
            name = rule.rule if (run.profile, subject) in several else subject
            known = points.setdefault(SeriesKey(run.profile, run.profile_hash, name), [])
            # A run of an older version can contain the same rule twice.
            if not known or known[-1].folder != run.folder:
                known.append(Point(run.folder, rule))
    return {key: line[::-1] for key, line in points.items()}
