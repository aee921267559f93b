"""The changes of the history as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loadgate.analysis.changes import Change
from loadgate.report.changes.series import MIN_VALUES, GroupChanges, HistoryChanges, SeriesChanges
from loadgate.report.history import PastRun, UnreadableRun
from loadgate.report.text import SHORT_COMMIT, printable
from loadgate.report.value_changes import change_text, json_unit, value_text
from loadgate.rules import Unit
from loadgate.units import count, given


def changes_text(found: HistoryChanges, unread: list[UnreadableRun]) -> list[str]:
    """Return the changes as lines: for each load and class of machines the changes, suspicions and remaining rules."""
    lines: list[str] = []
    for group in found.groups:
        lines += ["", *_group_lines(group)] if lines else _group_lines(group)
    if not found.groups:
        lines.append("no completed runs found")
    if found.left_out:
        runs = f"{count(found.left_out)} run{'' if found.left_out == 1 else 's'}"
        lines += ["", f"not examined: {runs} that did not complete or whose load is not stored"]
    return [printable(line) for line in [*lines, *(f"{one.folder}: {one.problem}" for one in unread)]]


def changes_json(found: HistoryChanges, unread: list[UnreadableRun]) -> dict[str, Any]:
    """Return the changes as a JSON object."""
    return {
        "groups": [
            {
                "profile": group.profile,
                "profile_hash": group.key.profile_hash,
                "machine_hash": group.key.machine_hash,
                "runs": group.runs,
                "rules": [_series_json(group, series) for series in group.series],
            }
            for group in found.groups
        ],
        "left_out": found.left_out,
        "unread": [{"folder": one.folder, "problem": one.problem} for one in unread],
    }


def _group_lines(group: GroupChanges) -> Iterator[str]:
    key = group.key
    yield f"{group.profile}: {count(group.runs)} runs of load {key.profile_hash} on machine class {key.machine_hash}"
    for series in group.series:
        for change in reversed(series.changes):
            yield from _change_lines(group, series, change)
    for series in group.series:
        if series.suspicion is not None:
            yield from _suspicion_lines(group, series)
    same = [series.subject for series in group.series if not (series.changes or series.suspicion or series.too_few)]
    if same:
        yield f"  no change: {', '.join(same)}"
    few = [f"{series.subject} has {count(len(series.points))}" for series in group.series if series.too_few]
    if few:
        yield f"  not examined, because a rule needs the values of at least {MIN_VALUES} runs: {', '.join(few)}"


def _change_lines(group: GroupChanges, series: SeriesChanges, change: Change) -> Iterator[str]:
    word = "WORSE" if _is_worse(series, change.before, change.after) else "BETTER"
    yield f"  {word:<6} {series.subject}  {_moved(series, change.before, change.after)}"
    last, first = series.points[change.at - 1].run, series.points[change.at].run
    yield f"         between {_commit(last)} and {_commit(first)}"
    sides = f"{count(change.runs_before)} runs before, {count(change.runs_after)} after"
    yield f"         {sides}; p = {given(change.p_value)}"
    yield f"         {_proof(group, last, first)}"


def _suspicion_lines(group: GroupChanges, series: SeriesChanges) -> Iterator[str]:
    suspicion = series.suspicion
    if suspicion is None:
        return
    moved = _moved(series, suspicion.before, suspicion.newest)
    yield f"  ?      {series.subject} may have changed with the newest run"
    yield f"         {moved}"
    yield f"         {_proof(group, series.points[-2].run, series.points[-1].run)}"


def _proof(group: GroupChanges, last: PastRun, first: PastRun) -> str:
    """Return the command that can prove a change between two runs, or why there is none."""
    if last.commit is None or first.commit is None:
        return "a commit is not known, so no command can compare them"
    if last.commit == first.commit:
        return "both runs have the same commit, so uncommitted changes, the machine or its other load differed"
    return f"loadgate ab {last.commit[:SHORT_COMMIT]} {first.commit[:SHORT_COMMIT]} --profile {group.profile}"


def _commit(run: PastRun) -> str:
    day = run.started_at[:10]
    if run.commit is None:
        return f"the run of {day}"
    changed = ", with local changes" if run.commit_changed else ""
    return f"{run.commit[:SHORT_COMMIT]} ({day}{changed})"


def _moved(series: SeriesChanges, before: float, after: float) -> str:
    unit, old, new = series.unit, series.value(before), series.value(after)
    moved = new - old if unit is Unit.PERCENT else new / old - 1
    return f"{value_text(unit, old)} -> {value_text(unit, new)} ({change_text(unit, moved)})"


def _is_worse(series: SeriesChanges, before: float, after: float) -> bool:
    return (after > before) == series.operator.bounds_from_above


def _series_json(group: GroupChanges, series: SeriesChanges) -> dict[str, Any]:
    return {
        "rule": series.subject,
        "unit": json_unit(series.unit),
        "values": [point.value for point in series.points],
        "folders": [point.run.folder for point in series.points],
        "is_examined": not series.too_few,
        "changes": [
            {
                "before": series.value(change.before),
                "after": series.value(change.after),
                "is_worse": _is_worse(series, change.before, change.after),
                "runs_before": change.runs_before,
                "runs_after": change.runs_after,
                "p_value": change.p_value,
                "rank_p_value": change.rank_p_value,
                **_places(group, series, change.at),
            }
            for change in series.changes
        ],
        "newest_run_suspected": series.suspicion is not None,
    }


def _places(group: GroupChanges, series: SeriesChanges, at: int) -> dict[str, Any]:
    last, first = series.points[at - 1].run, series.points[at].run
    return {
        "last_run": last.folder,
        "first_run": first.folder,
        "last_commit": last.commit,
        "first_commit": first.commit,
        "proof": _proof(group, last, first),
    }
