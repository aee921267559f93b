"""The output of `loadgate history`: a table of past runs, and a sparkline for each comparable series of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from loadgate.report.history import PastRun, Point, SeriesKey, UnreadableRun, series_of
from loadgate.report.sparkline import BARS, MAX_SPARKS, PLAIN_BARS, PLAIN_UNKNOWN, UNKNOWN, sparkline
from loadgate.report.text import OUTCOME_WORDS, aligned, printable, rule_limit, rule_quantity
from loadgate.units import age, count, percentage

RUN_HEAD = ("RUN", "OUTCOME", "AGE", "COMMIT", "REQUESTS", "FAILED")
SERIES_HEAD = ("PROFILE", "RULE", "LIMIT", "LATEST", "OUTCOMES", "OLDEST TO NEWEST")
COMMIT_CHARS = 8
CHANGED = "*"
"""Follows the commit of a run that had uncommitted changes."""


def history_text(
    found: Sequence[PastRun], unread: Sequence[UnreadableRun], can_show: Callable[[str], bool], now_s: float
) -> str:
    """Return the history as text. `can_show` says whether the terminal can show the given characters.

    `now_s` is the current time in epoch seconds, from which the ages of the runs are computed.
    """
    problems = [printable(f"{one.folder}: {one.problem}") for one in unread]
    if not found:
        return "\n".join(["no runs found", *problems])
    head, *rows = aligned([RUN_HEAD, *_rows(found, now_s)], right={4, 5})
    lines = [head, *(line for run, row in zip(found, rows, strict=True) for line in (row, *_details(run)))]
    if any(run.commit_changed for run in found):
        lines.append(f"{CHANGED} with uncommitted changes")
    series = aligned([SERIES_HEAD, *_series(found, can_show)], right={3})
    lines += ["", *series] if len(series) > 1 else []
    return "\n".join([*lines, *(["", *problems] if problems else [])])


def _rows(found: Sequence[PastRun], now_s: float) -> Iterator[tuple[str, ...]]:
    for run in found:
        yield (
            run.folder,
            OUTCOME_WORDS[run.outcome],
            _age(run, now_s),
            (run.commit or "")[:COMMIT_CHARS] + (CHANGED if run.commit_changed else ""),
            count(run.requests),
            percentage(run.failure_rate),
        )


def _age(run: PastRun, now_s: float) -> str:
    try:
        return age(now_s - datetime.fromisoformat(run.started_at).timestamp())
    except ValueError:
        return age(None)


def _details(run: PastRun) -> list[str]:
    """Return the line below a run that did not pass, or whose target loadgate did not start."""
    parts = [*([] if run.is_managed else [run.host]), *([] if run.outcome == "pass" else [run.reason])]
    return [printable(f"  {': '.join(parts)}")] if parts else []


def _series(found: Sequence[PastRun], can_show: Callable[[str], bool]) -> Iterator[tuple[str, ...]]:
    bars, unknown = (BARS, UNKNOWN) if can_show(BARS + UNKNOWN) else (PLAIN_BARS, PLAIN_UNKNOWN)
    newest: dict[str, str | None] = {}
    for run in found:
        newest.setdefault(run.profile, run.profile_hash)
    for key, points in series_of(found).items():
        latest = points[-1].rule
        values = [point.rule.value for point in points[-MAX_SPARKS:]]
        shown = (rule_limit(latest), rule_quantity(latest, latest.value), _counted(points))
        yield _name(key, points, newest[key.profile]), key.rule, *shown, sparkline(values, bars, unknown)


def _name(key: SeriesKey, points: Sequence[Point], newest: str | None) -> str:
    """Return the profile. If newer runs have another load, add the date of the last run with this one."""
    return key.profile if key.profile_hash == newest else f"{key.profile} until {points[-1].folder.partition('T')[0]}"


def _counted(points: Sequence[Point]) -> str:
    counts = {word: sum(point.rule.outcome == word for point in points) for word in OUTCOME_WORDS}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)
