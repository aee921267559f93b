"""`loadgate history`: past runs with their verdicts, and the values of each rule over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loadgate.report.text import OUTCOME_WORDS, aligned, printable, rule_limit, rule_quantity, rule_subject
from loadgate.run.document import RUN_FILE, RuleRecord, RunFileError, read_run
from loadgate.units import count, duration, percentage

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "12345678"
UNKNOWN = "·"
PLAIN_UNKNOWN = "-"
MAX_SPARKS = 40
"""Maximum number of runs in a sparkline. It shows the newest ones."""

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
                "profile": profile,
                "rule": rule,
                "unit": points[-1].rule.unit,
                "limit": points[-1].rule.limit,
                "values": [point.rule.value for point in points],
                "outcomes": [point.rule.outcome for point in points],
            }
            for (profile, rule), points in _by_rule(found).items()
        ],
        "unread": [asdict(one) for one in unread],
    }


def history_text(found: Sequence[PastRun], unread: Sequence[UnreadableRun], can_show: Callable[[str], bool]) -> str:
    """Return the history as text. `can_show` says whether the terminal can show the given characters."""
    problems = [printable(f"{one.folder}: {one.problem}") for one in unread]
    if not found:
        return "\n".join(["no runs found", *problems])
    rows = [("RUN", "PROFILE", "OUTCOME", "TIME", "REQUESTS", "FAILED", "")]
    rows += [
        (
            run.folder,
            run.profile,
            OUTCOME_WORDS[run.outcome],
            duration(run.duration_s),
            count(run.requests),
            percentage(run.failure_rate),
            run.reason,
        )
        for run in found
    ]
    lines = aligned(rows, right={4, 5})
    bars, unknown = (BARS, UNKNOWN) if can_show(BARS + UNKNOWN) else (PLAIN_BARS, PLAIN_UNKNOWN)
    rules = [("PROFILE", "RULE", "LIMIT", "LATEST", "OUTCOMES", "OLDEST TO NEWEST")]
    for (profile, rule), points in _by_rule(found).items():
        latest = points[-1].rule
        values = [point.rule.value for point in points[-MAX_SPARKS:]]
        shown = (rule_limit(latest), rule_quantity(latest, latest.value), _counted(points))
        rules.append((profile, rule, *shown, sparkline(values, bars, unknown)))
    lines += ["", *aligned(rules, right={3})] if len(rules) > 1 else []
    return "\n".join([*lines, *(["", *problems] if problems else [])])


def sparkline(values: Sequence[float | None], bars: str = BARS, unknown: str = UNKNOWN) -> str:
    """Return a bar for each value, scaled between the minimum and the maximum. Equal values have half the height."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def bar(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return bars[min(len(bars) - 1, int(share * len(bars)))]

    return "".join(unknown if value is None else bar(value) for value in values)


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
        rules=tuple(verdict.rules),
    )


def _by_rule(found: Sequence[PastRun]) -> dict[tuple[str, str], list[Point]]:
    """Return the results of each rule, oldest first, by profile and subject. The rules of the newest run come first.

    The subject of a rule is its text without the limit, so a changed limit does not start a new line. If a run has
    several limits for a subject, each limit has its own line.
    """
    subjects = [Counter((run.profile, rule_subject(rule)) for rule in run.rules) for run in found]
    several = {subject for counts in subjects for subject, times in counts.items() if times > 1}
    points: dict[tuple[str, str], list[Point]] = {}
    for run in found:
        for rule in run.rules:
            key = run.profile, rule_subject(rule)
            known = points.setdefault((run.profile, rule.rule) if key in several else key, [])
            # A run of an older version can contain the same rule twice.
            if not known or known[-1].folder != run.folder:
                known.append(Point(run.folder, rule))
    return {key: line[::-1] for key, line in points.items()}


def _counted(points: Sequence[Point]) -> str:
    counts = {word: sum(point.rule.outcome == word for point in points) for word in OUTCOME_WORDS}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
