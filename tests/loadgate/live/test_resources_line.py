"""Test the line of the target's resources in the live view."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from loadgate.live.plain import PLAIN_COLUMNS, plain_line
from loadgate.live.resources import RECENT_S, readings, readings_line, readings_lines
from loadgate.live.state import LiveState
from loadgate.live.table import table_rows
from loadgate.live.view import live_view
from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from tests.loadgate.live.test_live_parts import STATE

START_S = 1_700_000_000
MEMORY = ResourceColumn("api", "memory", ColumnKind.LEVEL, ResourceUnit.BYTES)
CPU = ResourceColumn("api", "cpu", ColumnKind.FLOW, ResourceUnit.SECONDS)
LAG_SUM = ResourceColumn("api", "loop_lag.sum", ColumnKind.FLOW, ResourceUnit.SECONDS)
LAG_COUNT = ResourceColumn("api", "loop_lag.count", ColumnKind.FLOW)
USED, POOL = ResourceColumn("database", "connections"), ResourceColumn("database", "connections.limit")
DEPTH = ResourceColumn("queue", "depth")
ROW: dict[ResourceColumn, float | None] = {
    MEMORY: 312e6, CPU: 0.82, LAG_SUM: 0.06, LAG_COUNT: 20, USED: 12, POOL: 20, DEPTH: 3,
    ResourceColumn("api", "threads"): 12, ResourceColumn("api", "open_files"): 45,
}  # fmt: skip
LINE = (
    "api CPU 0.820 cores, memory 312 MB, event-loop lag 3.00 ms, open files 45 · database connections 12 of 20 · "
    "queue depth 3"
)


def filled(rows: int = 20) -> ResourceRecord:
    record = ResourceRecord()
    for second in range(rows):
        record.put(START_S + second, ROW)
    return record


def state(record: ResourceRecord, now_s: float = START_S + 20.4) -> LiveState:
    return STATE.model_copy(update={"resources": readings(record, now_s)})


def test_the_line_has_the_current_values_by_resource() -> None:
    assert readings_line(readings(filled(), START_S + 20.4)) == LINE


def test_levels_are_the_newest_values_and_flows_are_means() -> None:
    record = filled()
    record.put(START_S + 20, {CPU: 1.82, MEMORY: 400e6, LAG_SUM: 1.0, LAG_COUNT: 1.0})
    found = {reading.quantity: reading.value for reading in readings(record, START_S + 21)}
    assert found["memory"] == 400e6
    assert found["cpu"] == pytest.approx(0.82 + 1 / 10)
    assert found["loop_lag"] == pytest.approx((9 * 0.06 + 1) / (9 * 20 + 1))


def test_values_that_are_no_longer_read_disappear() -> None:
    record = filled()
    for second in range(20, 20 + RECENT_S + 1):
        record.put(START_S + second, {MEMORY: 1e6, CPU: None})
    assert readings_line(readings(record, START_S + 20 + RECENT_S + 1)) == "api memory 1.00 MB"
    assert readings(record, START_S + 1000) == []


def test_a_second_without_waits_has_no_wait() -> None:
    record = ResourceRecord()
    record.put(START_S, {LAG_SUM: 0.0, LAG_COUNT: 0.0})
    assert readings(record, START_S + 1) == []


def test_a_limit_of_zero_is_not_shown() -> None:
    record = ResourceRecord()
    record.put(START_S, {USED: 12, POOL: 0})
    assert readings_line(readings(record, START_S + 1)) == "database connections 12"


@pytest.mark.parametrize("columns", range(10, 201))
def test_the_line_fits_any_width_and_keeps_the_most_important_values(columns: int) -> None:
    line = readings_line(readings(filled(), START_S + 20.4), columns)
    assert len(line) <= columns
    assert not line.endswith((" ", "·", ","))
    assert bool(line) == (columns >= len("queue depth 3"))
    if columns >= 80:
        assert line.startswith("api CPU 0.820 cores, memory 312 MB")
        assert "database connections 12 of 20" in line


def test_a_narrow_line_has_the_first_resource_and_what_has_a_limit() -> None:
    record = filled()
    for name in ("redis", "worker", "machine"):
        record.put(START_S + 19, {replace(CPU, resource=name): 0.1, replace(MEMORY, resource=name): 1e6})
    found = readings(record, START_S + 20)
    assert readings_line(found, 40) == "api CPU 0.820 cores, memory 312 MB"
    assert readings_line(found, 70) == "api CPU 0.820 cores, memory 312 MB · database connections 12 of 20"


def drawn(shown: LiveState, columns: int, lines: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=columns, height=lines, color_system=None).print(live_view(shown, columns, lines))
    return [row.rstrip() for row in out.getvalue().splitlines()]


@pytest.mark.parametrize(("lines", "more"), [(10, 1), (11, 2), (12, 3), (40, 3)])
@pytest.mark.parametrize("columns", [20, 40, 77, 120, 200])
def test_the_drawn_view_has_more_lines_of_resources_if_there_is_room(columns: int, lines: int, more: int) -> None:
    with_resources = state(filled())
    without, rows = drawn(STATE, columns, lines), drawn(with_resources, columns, lines)
    shown = [row for row in rows if row not in without]
    assert shown == readings_lines(with_resources.resources, columns, more)
    assert len(rows) == len(without) + len(shown)
    many = with_resources.model_copy(update={"rules": STATE.rules * 10})
    assert len(drawn(many, columns, lines)) <= lines


def test_several_lines_have_all_resources_and_never_part_one() -> None:
    found = readings(filled(), START_S + 20.4)
    assert readings_lines(found, 80, 3) == [
        "api CPU 0.820 cores, memory 312 MB, event-loop lag 3.00 ms, open files 45",
        "database connections 12 of 20 · queue depth 3",
    ]
    assert readings_lines(found, 80, 1) == [readings_line(found, 80)]
    assert readings_lines(found, 10, 3) == []


def test_the_plain_line_ends_with_the_most_important_resources() -> None:
    room = PLAIN_COLUMNS - len(plain_line(STATE)) - len(" | ")
    shown = readings_line(readings(filled(), START_S + 20.4), room)
    assert plain_line(state(filled())) == f"{plain_line(STATE)} | {shown}"
    assert 0 < len(shown) <= room
    assert plain_line(state(ResourceRecord())) == plain_line(STATE)


def test_the_web_tab_has_a_row_of_resources() -> None:
    without = table_rows(STATE, None)
    assert table_rows(state(filled()), None) == [
        *without,
        {"rule": "resources", "limit": "", "measured": "", "samples": "", "outcome": "", "why": LINE},
    ]


def test_hostile_names_stay_in_one_line() -> None:
    record = ResourceRecord()
    record.put(START_S, {replace(DEPTH, resource="a\nb\x1b[2J"): 3.0})
    assert readings_line(readings(record, START_S + 1)) == "a b?[2J depth 3"


def test_the_cost_does_not_grow_with_the_length_of_the_run() -> None:
    class Counted(ResourceRecord):
        reads = 0

        def mean_since(self, column: ResourceColumn, since_s: int) -> float | None:
            Counted.reads += 1
            values = self._columns[column].sums
            assert len(values[max(0, since_s - self._start_s) :]) <= RECENT_S + 1
            return super().mean_since(column, since_s)

    record = Counted()
    for second in range(3600):
        record.put(START_S + second, ROW)
    assert readings(record, START_S + 3600)
    assert Counted.reads == 7
