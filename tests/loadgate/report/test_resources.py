"""Test the lines of resources over time: means of slots, figures under load, charts and tables."""

from __future__ import annotations

import pytest

from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceRecord, ResourceUnit
from loadgate.report.html.grid import Grid
from loadgate.report.html.resources import drawable, resource_charts, resource_figures, resource_tables
from loadgate.report.resources import ResourceLine, resource_lines
from loadgate.run.document import RunDocument
from loadgate.run.document.resources import ResourcesRecord
from tests.loadgate.report.runs import KINDS
from tests.support.synthetic_run import STARTED_S

MEMORY = ResourceColumn("api", "memory", ColumnKind.LEVEL, ResourceUnit.BYTES)
WAITED = ResourceColumn("db", "wait.sum", ColumnKind.FLOW, ResourceUnit.SECONDS)
WAITS = ResourceColumn("db", "wait.count", ColumnKind.FLOW)
FINE, WIDE = Grid(STARTED_S, 1, 60), Grid(STARTED_S, 10, 6)


def with_resources(values: dict[int, dict[ResourceColumn, float | None]]) -> RunDocument:
    """Return the document of a run of one minute, given the values of each second since its start."""
    record = ResourceRecord()
    for second, row in values.items():
        record.put(STARTED_S + second, row)
    return KINDS["full"]().model_copy(update={"resources": ResourcesRecord.of(record)})


def only(document: RunDocument) -> ResourceLine:
    (line,) = resource_lines(document)
    return line


def test_a_slot_has_the_mean_of_its_known_values() -> None:
    line = only(with_resources({0: {MEMORY: 1e6}, 3: {MEMORY: 4e6}, 4: {MEMORY: None}, 25: {MEMORY: 7e6}}))
    assert line.over(FINE.start_s, 1, 5) == [1e6, None, None, 4e6, None]
    assert line.over(WIDE.start_s, 10, 6) == [2.5e6, None, 7e6, None, None, None]


def test_the_mean_wait_of_a_slot_counts_every_wait_once() -> None:
    rows = {0: {WAITED: 1.0, WAITS: 1.0}, 1: {WAITED: 0.099, WAITS: 99.0}, 2: {WAITED: 0.0, WAITS: 0.0}}
    line = only(with_resources({**rows, 3: {WAITED: 5.0, WAITS: None}}))
    assert line.over(FINE.start_s, 1, 4) == [1.0, pytest.approx(0.001), None, None]
    assert line.over(WIDE.start_s, 10, 1) == [pytest.approx(1.099 / 100)]


def test_values_outside_the_grid_are_ignored() -> None:
    line = only(with_resources({-5 + 5: {MEMORY: 1.0}, 100: {MEMORY: 2.0}}))
    assert [value for value in line.over(FINE.start_s + 1, 1, 59) if value is not None] == []


def test_a_line_with_values_only_outside_the_grid_is_not_drawn() -> None:
    files = ResourceColumn("api", "open_files")
    lines = resource_lines(with_resources({0: {MEMORY: 1.0}, 30: {files: 2.0}, 100: {MEMORY: 2.0}}))
    assert [line.quantity.name for line in drawable(lines, Grid(STARTED_S + 20, 1, 20))] == ["open_files"]


def test_the_figures_are_those_under_load() -> None:
    document = with_resources({second: {MEMORY: float(second)} for second in range(200)})
    figures = only(document).figures(document.run.started_s, document.run.started_s + document.run.duration_s)
    assert figures is not None
    assert (figures.mean, figures.max, figures.last) == (29.5, 59.0, 59.0)
    assert only(document).figures(0, 1) is None


def test_the_maximum_of_a_wait_is_the_largest_mean_of_a_second() -> None:
    document = with_resources({0: {WAITED: 1.0, WAITS: 1.0}, 1: {WAITED: 0.099, WAITS: 99.0}})
    (row,) = resource_figures(document, resource_lines(document))
    assert row == ("db wait", "11.0 ms", "1,000 ms", "1.00 ms", "-")


@pytest.mark.parametrize(("limit", "shown"), [(20.0, "20"), (0.0, "-"), (-1.0, "-")])
def test_the_newest_limit_counts_if_there_is_one(limit: float, shown: str) -> None:
    used, limits = ResourceColumn("db", "connections"), ResourceColumn("db", "connections.limit")
    document = with_resources({0: {used: 3, limits: 7}, 1: {used: 4, limits: limit}})
    lines = resource_lines(document)
    assert resource_figures(document, lines) == [("db connections", "3.50", "4", "4", shown)]
    (chart,) = resource_charts(lines, [FINE])
    assert [item["label"] for item in chart["limits"]] == ([f"db limit {shown}"] if limit > 0 else [])


def test_a_chart_has_one_line_for_each_resource_on_each_grid() -> None:
    cpu = {name: ResourceColumn(name, "cpu", ColumnKind.FLOW, ResourceUnit.SECONDS) for name in ("api", "worker")}
    document = with_resources(
        {second: {MEMORY: 123_456_789, cpu["worker"]: 0.25, cpu["api"]: 0.123456} for second in range(60)}
    )
    charts = resource_charts(resource_lines(document), [FINE, WIDE])
    assert [(chart["title"], chart["axis"]) for chart in charts] == [("CPU", "cores"), ("Memory", "MB")]
    assert [(line["label"], line["colour"]) for line in charts[0]["lines"]] == [("api", 0), ("worker", 1)]
    assert charts[0]["lines"][0]["values"] == [[0.1235] * 60, [0.1235] * 6]
    assert charts[1]["lines"] == [{"label": "api", "colour": 0, "values": [[123.5] * 60, [123.5] * 6]}]


def test_whole_numbers_are_never_rounded_in_charts() -> None:
    depth = ResourceColumn("queue", "depth")
    (chart,) = resource_charts(resource_lines(with_resources({0: {depth: 1_234_567}, 1: {depth: -3}})), [FINE])
    assert chart["lines"][0]["values"][0][:3] == [1_234_567, -3, None]


def test_each_resource_has_a_table_over_time() -> None:
    document = with_resources({second: {MEMORY: 1e6 * second, WAITED: 0.1, WAITS: 10.0} for second in range(30)})
    api, database = resource_tables(resource_lines(document), FINE, STARTED_S)
    assert (api[0], api[1], len(api[2])) == ("api", ("memory",), 30)
    assert (database[0], database[1]) == ("db", ("wait",))
    assert (api[2][2], database[2][2]) == (("0:04", "4.50 MB"), ("0:04", "10.0 ms"))
    assert (api[2][-1], database[2][-1]) == (("0:58", "-"), ("0:58", "-"))


def test_wider_rows_of_a_long_run_are_drawn_in_their_slots() -> None:
    document = with_resources({second: {MEMORY: float(second)} for second in range(4 * 3600)})
    assert document.resources.step_s == 2
    line = only(document)
    assert line.over(STARTED_S, 3600, 4) == [pytest.approx(3600 * hour + 1799.5) for hour in range(4)]
    assert None not in line.over(STARTED_S, 10, 4 * 360)


def test_a_run_without_resources_has_no_lines() -> None:
    document = with_resources({})
    assert resource_lines(document) == []
    assert resource_charts([], [FINE]) == []
    assert resource_tables([], FINE, STARTED_S) == []
