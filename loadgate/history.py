"""`loadgate history`: past runs with their verdicts, and how the value of each rule went from run to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadgate.artefacts import RUN_FILE, RunFileError, read_run
from loadgate.report.text import (
    OUTCOME_WORDS,
    aligned,
    duration,
    number,
    percent,
    printable,
    rule_conditions,
    rule_limit,
    rule_quantity,
)

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "12345678"
UNKNOWN = "·"
PLAIN_UNKNOWN = "-"
MAX_SPARKS = 40
"""Runs of one rule that a sparkline shows, the newest ones."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """What the history says of one run. `rules` are those of its verdict, without their reasons."""

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
    rules: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """A run folder that says nothing, and why."""

    folder: str
    problem: str


def past_runs(runs: Path, profile: str | None, limit: int) -> tuple[list[PastRun], list[Unread]]:
    """Return the newest runs below the folder `runs`, of one profile or all, and what could not be read on the way."""
    found: list[PastRun] = []
    unread: list[Unread] = []
    for folder in _newest_first(runs):
        if len(found) == limit:
            break
        try:
            past = _past_run(folder)
        except RunFileError as error:
            unread.append(Unread(folder.name, str(error).removeprefix(f"{folder / RUN_FILE}: ")))
            continue
        if profile in {None, past.profile}:
            found.append(past)
    return found, unread


def history_json(found: Sequence[PastRun], unread: Sequence[Unread]) -> dict[str, Any]:
    """Return the history for programs: runs newest first, and each rule's values oldest first."""
    return {
        "runs": [asdict(run) for run in found],
        "rules": [
            {
                "profile": profile,
                "rule": rule,
                "unit": points[-1]["unit"],
                "limit": points[-1]["limit"],
                "values": [point["value"] for point in points],
                "outcomes": [point["outcome"] for point in points],
            }
            for (profile, rule), points in _by_rule(found).items()
        ],
        "unread": [asdict(one) for one in unread],
    }


def history_text(found: Sequence[PastRun], unread: Sequence[Unread], can_show: Callable[[str], bool]) -> str:
    """Return the history for people; `can_show` says whether the terminal knows some characters."""
    lines = [printable(f"{one.folder}: {one.problem}") for one in unread]
    if not found:
        return "\n".join([*lines, "no run was found"])
    rows = [("RUN", "PROFILE", "OUTCOME", "TIME", "REQUESTS", "FAILED", "")]
    rows += [
        (
            run.folder,
            run.profile,
            OUTCOME_WORDS[run.outcome],
            duration(run.duration_s),
            number(run.requests),
            percent(run.failure_rate),
            run.reason,
        )
        for run in found
    ]
    lines += aligned(rows, right={4, 5})
    bars, unknown = (BARS, UNKNOWN) if can_show(BARS + UNKNOWN) else (PLAIN_BARS, PLAIN_UNKNOWN)
    rules = [("PROFILE", "RULE", "LIMIT", "LATEST", "OUTCOMES", "OLDEST TO NEWEST")]
    for (profile, rule), points in _by_rule(found).items():
        latest = points[-1]
        values = [point["value"] for point in points[-MAX_SPARKS:]]
        shown = (rule_limit(latest), rule_quantity(latest, latest["value"]), _counted(points))
        rules.append((profile, rule, *shown, sparkline(values, bars, unknown)))
    return "\n".join([*lines, "", *aligned(rules, right={3})] if len(rules) > 1 else lines)


def sparkline(values: Sequence[float | None], bars: str = BARS, unknown: str = UNKNOWN) -> str:
    """Draw values as bars between the smallest and the largest of them; all equal ones are in the middle."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def bar(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return bars[min(len(bars) - 1, int(share * len(bars)))]

    return "".join(unknown if value is None else bar(value) for value in values)


def _newest_first(runs: Path) -> Iterator[Path]:
    # A folder's name begins with the time of its run, so that no file has to be read for the order.
    if runs.is_dir():
        yield from sorted((path for path in runs.iterdir() if path.is_dir()), key=_age, reverse=True)


def _age(folder: Path) -> tuple[str, int, str]:
    # The second run of a second has a number behind its name.
    stamp, _, rest = folder.name.partition("-")
    _, _, number = rest.rpartition("-")
    return stamp, int(number) if number.isdecimal() else 1, folder.name


def _past_run(folder: Path) -> PastRun:
    try:
        return _from_document(folder, read_run(folder))
    except RunFileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise RunFileError(f"has no {RUN_FILE}: the run is going on, or ended before it was judged") from error
        raise


def _from_document(folder: Path, document: Mapping[str, Any]) -> PastRun:
    run, verdict, overall = document["run"], document["verdict"], document["totals"]["overall"]
    git = document["made_on"]["git"]
    keys = ("rule", "scope", "metric", "operator", "limit", "unit", "window_s", "stage", "value", "samples", "outcome")
    return PastRun(
        folder=folder.name,
        profile=run["profile"]["name"],
        host=run["host"],
        started_at=run["started_at"],
        duration_s=float(run["duration_s"]),
        outcome=verdict["outcome"],
        exit_code=verdict["exit_code"],
        reason=verdict["reason"],
        requests=int(overall["requests"]),
        failure_rate=overall["failure_rate"],
        commit=git["commit"] if git else None,
        rules=tuple({key: rule.get(key) for key in keys} for rule in verdict["rules"]),
    )


def _by_rule(found: Sequence[PastRun]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Each rule's results, oldest first, by profile and what it asks; the newest run's rules come first.

    What a rule asks is its scope and metric: a limit that was changed does not break the line. Where a run has several
    limits for the same, each is a line of its own.
    """
    asked = [Counter((run.profile, _question(rule)) for rule in run.rules) for run in found]
    several = {question for count in asked for question, times in count.items() if times > 1}
    points: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in found:
        for rule in run.rules:
            key = run.profile, _question(rule)
            known = points.setdefault((run.profile, rule["rule"]) if key in several else key, [])
            # Runs of older versions may have the very same rule twice.
            if not known or known[-1]["folder"] != run.folder:
                known.append(rule | {"folder": run.folder})
    return {key: rules[::-1] for key, rules in points.items()}


def _question(rule: Mapping[str, Any]) -> str:
    return f"{rule['scope']}: {rule['metric']}{rule_conditions(rule['window_s'], rule.get('stage'))}"


def _counted(points: Sequence[Mapping[str, Any]]) -> str:
    counts = {word: sum(point["outcome"] == word for point in points) for word in OUTCOME_WORDS}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
