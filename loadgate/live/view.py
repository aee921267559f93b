"""The live state of a run as a view that fits the width and height of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadgate.live.plain import rule_name
from loadgate.live.resources import readings_lines
from loadgate.live.state import LiveState
from loadgate.report.text import printable
from loadgate.run.document import RuleRecord
from loadgate.units import clock, count, given, per_second, percentage, quantity

COLOURS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}
WORDS = {"pass": "✔ pass", "fail": "✘ FAIL", "inconclusive": "… inconclusive"}
WIDE_COLUMNS = 64
"""From this width on, each rule has a gauge and its outcome as a word."""
MAX_RESOURCE_LINES = 3
"""The lines for resources, if there is room below the rules. On a low terminal, they have one line."""

FAILURE_LINES = 12
"""From this height on, the newest failure has a line. On a lower terminal, the rules need it."""


def live_view(state: LiveState, columns: int, lines: int) -> RenderableType:
    """Return the view for a terminal of `columns` by `lines`. Rules that do not fit are counted in its last line."""
    newest = state.newest_failure if lines >= FAILURE_LINES else ""
    free = lines - 6 - bool(state.rules_at_end) - bool(newest)
    most = min(MAX_RESOURCE_LINES, max(1, free - len(state.rules)))
    resources = readings_lines(state.resources, columns, most)
    room = max(1, free - len(resources))
    shown = list(state.rules)
    if len(shown) > room:
        shown = sorted(shown, key=lambda rule: rule.outcome != "fail")[:room]
    parts: list[RenderableType] = [_progress(state, columns), _figures(state)]
    if newest:
        parts.append(Text(f"newest failure: {newest}", "red", no_wrap=True, overflow="ellipsis"))
    parts += [Text(line, no_wrap=True, overflow="ellipsis") for line in resources]
    parts.append(_rules(shown, columns))
    hidden = len(state.rules) - len(shown)
    more = [f"and {hidden} more {'rule' if hidden == 1 else 'rules'}"] if hidden else []
    more += [f"judged at the end: {', '.join(map(printable, state.rules_at_end))}"] if state.rules_at_end else []
    if more:
        parts.append(Text("; ".join(more), style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _progress(state: LiveState, columns: int) -> RenderableType:
    done = clock(state.elapsed_s)
    if state.is_stopping:
        return _line(f"{state.profile} {done}", "waiting for the last responses")
    if not state.planned_s:
        return _line(f"{state.profile} {done}", state.stage)
    left_s = max(0.0, state.planned_s - state.elapsed_s)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, columns // 4))
    grid.add_column()
    grid.add_column(no_wrap=True)
    completed = min(state.elapsed_s, state.planned_s)
    bar = ProgressBar(state.planned_s, completed, max(8, columns // 3), complete_style="cyan", finished_style="cyan")
    grid.add_row(Text(f"{state.profile} {state.stage}"), bar, Text(f"{done}, {clock(left_s)} left"))
    return grid


def _figures(state: LiveState) -> RenderableType:
    failed = "bold red" if state.failures else ""
    text = Text.assemble(
        f"{count(state.users)} users · {per_second(state.requests_per_s)} · {count(state.requests)} requests · ",
        (f"{count(state.failures)} failed", failed),
    )
    if state.failures_per_s:
        text.append(f" ({per_second(state.failures_per_s)})", failed)
    if state.cpu_share is not None:
        busy = "bold red" if state.cpu_share > state.cpu_limit_share else ""
        text.append(" · ").append(f"generator CPU {percentage(state.cpu_share, state.cpu_limit_share)}", busy)
    return text


def _rules(rules: Sequence[RuleRecord], columns: int) -> RenderableType:
    is_wide = columns >= WIDE_COLUMNS
    rows = [(rule_name(rule), _value(rule), f"{rule.operator} {given(rule.limit, rule.unit)}") for rule in rules]
    value_width, limit_width = (max((len(row[column]) for row in rows), default=0) for column in (1, 2))
    word_width = max(map(len, WORDS.values())) if is_wide else 1
    gauge_width = columns // 5 if is_wide else 0
    # On a narrow terminal, names are shortened and numbers are not.
    name_width = max(4, columns - value_width - limit_width - word_width - gauge_width - (4 if is_wide else 3))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=name_width)
    grid.add_column(no_wrap=True, justify="right", min_width=value_width)
    grid.add_column(no_wrap=True, min_width=limit_width)
    if is_wide:
        grid.add_column()
    grid.add_column(no_wrap=True, min_width=word_width)
    for rule, (name, value, limit) in zip(rules, rows, strict=True):
        colour = COLOURS[rule.outcome]
        word = WORDS[rule.outcome] if is_wide else WORDS[rule.outcome][0]
        cells: list[RenderableType] = [Text(name), Text(value, colour), Text(limit, "dim")]
        if is_wide:
            cells.append(_gauge(rule, gauge_width))
        grid.add_row(*cells, Text(word, colour))
    return grid


def _value(rule: RuleRecord) -> str:
    """Return the value without its unit, because the limit next to it shows the unit."""
    return quantity(rule.value, rule.unit, rule.limit).removesuffix(rule.unit).rstrip()


def _gauge(rule: RuleRecord, width: int) -> RenderableType:
    """Return a bar for the share of an upper limit that the value uses. Empty for a lower limit."""
    if rule.value is None or not rule.limit or rule.operator not in {"<", "<="}:
        return Text("")
    style = "red" if rule.outcome == "fail" else "green"
    return ProgressBar(
        total=rule.limit, completed=min(rule.value, rule.limit), width=width, complete_style=style, finished_style=style
    )


def _line(left: str, right: str) -> Text:
    return Text(f"{left} · {right}", no_wrap=True, overflow="ellipsis")
