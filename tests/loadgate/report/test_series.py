"""Test the lines of the charts against the recorder, for slots of every width."""

from __future__ import annotations

from typing import Any

import pytest

from loadgate.recorder import OVERALL, FinishedRequest, LatencySketch, Outcome, Recorder, RequestName
from loadgate.recorder.sketch import bucket_index
from loadgate.report.html import run_series
from loadgate.report.html.embedded import embedded_data
from loadgate.report.html.grid import MAX_CELLS, MAX_FINE_NAMES, MAX_SLOTS, READABLE_SLOTS, grid_for, grids_for
from loadgate.report.html.series import ChartSeries, Line, ScopeSeries, chart_series
from tests.loadgate.report.runs import bare_run, stored
from tests.support.run_documents import judged
from tests.support.synthetic_run import STARTED_S, Synthetic, synthetic_document

LONG = Synthetic(duration_s=5 * 3600, names=3, requests_per_s=3)
PLAIN = Synthetic(duration_s=400, names=6, requests_per_s=30, failure_share=0.03)


@pytest.fixture(
    scope="module", params=[PLAIN, pytest.param(LONG, marks=pytest.mark.full)], ids=["seconds", "rolled up"]
)
def drawn(request: pytest.FixtureRequest) -> tuple[ChartSeries, Recorder]:
    document = stored(synthetic_document(request.param))
    series = chart_series(document, STARTED_S, STARTED_S + request.param.duration_s)
    return series, document.recording.recorder()


def scope_of(scope: ScopeSeries) -> Any:
    if scope.kind == "overall":
        return OVERALL
    return scope.name if scope.kind == "group" else RequestName(scope.name, scope.group)


def expected(recorder: Recorder, series: ChartSeries, scope: ScopeSeries, level: int) -> dict[int, LatencySketch]:
    grid = series.grids[level]
    slots: dict[int, LatencySketch] = {}
    for found in recorder.time_slots(scope_of(scope)):
        slot = (found.start_s - grid.start_s) // grid.width_s
        slots.setdefault(slot, LatencySketch()).merge(found.totals.success)
    return {slot: sketch for slot, sketch in slots.items() if sketch.count}


@pytest.mark.parametrize("level", [0, -1])
def test_every_slot_has_the_counts_and_percentiles_of_the_record(
    drawn: tuple[ChartSeries, Recorder], level: int
) -> None:
    series, recorder = drawn
    for scope in series.scopes:
        line = scope.success[level]
        wanted = expected(recorder, series, scope, level)
        assert {slot: count for slot, count in enumerate(line.counts) if count} == {
            slot: sketch.count for slot, sketch in wanted.items()
        }
        for slot, sketch in wanted.items():
            found = [column[slot] for column in line.percentiles] + [line.largest[slot]]
            exact = [sketch.quantile(q) or 0.0 for q in (0.5, 0.95, 0.99, 1.0)]
            # The smallest and the largest sample are known exactly, the chart draws their bucket.
            assert found == [bucket_index(int(value * 1000 + 1e-6)) for value in exact]
        silent = [slot for slot, count in enumerate(line.counts) if not count]
        assert {line.percentiles[1][slot] for slot in silent} <= {-1}


def test_failures_are_separate_and_complete(drawn: tuple[ChartSeries, Recorder]) -> None:
    series, recorder = drawn
    for scope in series.scopes:
        totals = recorder.totals(scope_of(scope))
        for level in range(len(series.grids)):
            assert sum(scope.failure[level].counts) == totals.failure.count
            assert sum(scope.success[level].counts) == totals.success.count
        assert scope.success[0].total.count == totals.success.count


def test_requests_in_flight_are_drawn_for_totals(drawn: tuple[ChartSeries, Recorder]) -> None:
    series, recorder = drawn
    document = stored(synthetic_document(LONG if series.recorded_width_s > 1 else PLAIN))
    data, grid = embedded_data(document, series, []), series.grids[0]
    totals = [scope.kind in {"overall", "group"} for scope in series.scopes]
    assert ["in_flight" in shown for shown in data["scopes"]] == totals
    for scope, shown in zip(series.scopes[: sum(totals)], data["scopes"], strict=False):
        wanted = [0.0] * grid.count
        for slot in recorder.in_flight(scope_of(scope)):
            wanted[grid.slot(slot.start_s)] += slot.mean * slot.width_s / grid.width_s
        assert shown["in_flight"] == pytest.approx(wanted, abs=0.006)


def test_a_request_over_several_seconds_is_in_flight_in_each() -> None:
    run = bare_run(rules=[])
    run.recorder.record(FinishedRequest("slow", Outcome.SUCCESS, start_s=STARTED_S + 2.5, latency_ms=2000, group="g"))
    run.recorder.record_measure("first", 5000, at_s=STARTED_S + 3, group="m")
    document = stored(judged(run))
    overall, *groups = embedded_data(document, run_series(document), [])["scopes"]
    assert overall["in_flight"][:6] == [0, 0, 0.5, 1, 0.5, 0]
    drawn = {scope["name"]: scope["in_flight"] for scope in groups if scope["kind"] == "group"}
    assert drawn["g"] == overall["in_flight"]
    assert not any(drawn["m"])


def test_long_runs_are_drawn_in_whole_recorded_slots(drawn: tuple[ChartSeries, Recorder]) -> None:
    series, recorder = drawn
    widest_s = max(slot.width_s for slot in recorder.time_slots())
    assert series.recorded_width_s == widest_s
    assert all(grid.width_s % widest_s == 0 for grid in series.grids)
    assert series.grids[0].start_s % widest_s == 0


@pytest.mark.parametrize(
    ("duration_s", "widths", "scopes", "wanted"),
    [
        (60, {1}, 5, [1]),
        (600, {1}, 17, [1, 5]),
        (1800, {1}, 17, [1, 20]),
        (3600, {1}, 60, [5, 30]),
        (4 * 3600, {1, 10}, 20, [10]),
        (5 * 3600, {1, 10, 60}, 9, [60]),
        (24 * 3600, {1, 10, 60}, 56, [300]),
        (7 * 24 * 3600, {1, 10, 60}, 56, [1800]),
        (0.2, set(), 1, [1]),
    ],
)
def test_the_grid_is_the_finest_within_the_limits(
    duration_s: float, widths: set[int], scopes: int, wanted: list[int]
) -> None:
    grids = grids_for(STARTED_S + 0.4, STARTED_S + 0.4 + duration_s, widths, scopes)

    assert [grid.width_s for grid in grids] == wanted
    assert grids[0].count <= MAX_SLOTS
    assert grids[0].count * scopes <= MAX_CELLS
    assert grids[-1].count <= READABLE_SLOTS or grids[-1].width_s >= 10
    for grid in grids:
        assert grid.start_s <= STARTED_S
        assert grid.start_s + grid.count * grid.width_s >= STARTED_S + 0.4 + duration_s


@pytest.mark.parametrize(("names", "grids"), [(MAX_FINE_NAMES, 2), (MAX_FINE_NAMES + 1, 1)])
def test_many_names_are_drawn_on_the_coarser_grid_only(names: int, grids: int) -> None:
    document = stored(synthetic_document(Synthetic(duration_s=300, names=names, requests_per_s=60)))
    data = embedded_data(document, run_series(document), [])

    drawn_on = {scope["kind"]: len(scope["success"]["lines"]) for scope in data["scopes"]}
    assert drawn_on == {"overall": 2, "group": 2, "request": grids}
    heat_grid = data["grids"][2 - grids]
    assert data["heat_grid"] == 2 - grids
    for scope in data["scopes"]:
        assert sum(scope["success"]["lines"][-1]["counts"]) == scope["success"]["samples"]
        if scope["kind"] != "request":
            assert len(scope["heat"]["used"]) == heat_grid["count"]
            assert sum(scope["heat"]["samples"]) == scope["success"]["samples"]


def test_a_time_outside_the_grid_belongs_to_its_end() -> None:
    grid = grid_for(100.0, 160.0, {1}, 1)

    assert [grid.slot(at) for at in (0, 100, 101.9, 159, 1000)] == [0, 0, 1, 59, 59]


@pytest.mark.parametrize(
    ("requests_per_s", "points"),
    [(0.5, [0, 0, 0]), (2, [15, 0, 0]), (8, [5, 10, 0]), (70, [1, 1, 5]), (400, [1, 1, 1])],
)
def test_a_point_covers_so_many_slots_that_it_rests_on_enough_samples(requests_per_s: float, points: list[int]) -> None:
    sketch = LatencySketch()
    slots: dict[int, LatencySketch] = {}
    for number in range(int(60 * requests_per_s)):
        latency_ms = 10.0 + number % 50
        slots.setdefault(int(number / requests_per_s), LatencySketch()).record(latency_ms)
        sketch.record(latency_ms)
    line = Line.of(slots, 60, sketch)
    assert line.slots_per_point == points
    for slots_per_point, drawn, own in zip(points, line.drawn, line.percentiles, strict=True):
        if slots_per_point <= 1:
            assert drawn == own
        else:
            starts = range(0, 60, slots_per_point)
            assert all(len(set(drawn[start : start + slots_per_point])) == 1 for start in starts)


def test_a_last_point_with_few_samples_joins_the_one_before() -> None:
    total = LatencySketch()
    slots: dict[int, LatencySketch] = {}
    for second in range(53):
        slots[second] = LatencySketch()
        for _ in range(8):
            slots[second].record(20.0 if second < 50 else 900.0)
            total.record(20.0 if second < 50 else 900.0)
    drawn = Line.of(slots, 53, total).drawn[1]
    assert len(set(drawn[40:53])) == 1
    assert drawn[39] != drawn[40]
