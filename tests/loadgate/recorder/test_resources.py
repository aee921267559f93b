"""Test the record of the target's resources."""

from __future__ import annotations

import json
import math
import tracemalloc
import zlib
from base64 import b64encode
from dataclasses import replace

import pytest

from loadgate.recorder.resources import (
    MAX_COLUMNS,
    MAX_EARLY_S,
    MAX_GAP_S,
    MAX_ROWS,
    MAX_VALUE,
    ColumnKind,
    ResourceColumn,
    ResourceRecord,
    ResourceUnit,
)

MIB = 1024 * 1024
MEMORY = ResourceColumn("api", "memory", ColumnKind.LEVEL, ResourceUnit.BYTES)
CPU = ResourceColumn("api", "cpu", ColumnKind.FLOW, ResourceUnit.SECONDS)


def test_values_are_read_back_at_the_middle_of_their_second() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5.0, CPU: None})
    record.put(1002, {MEMORY: 7.0, CPU: 0.25})
    memory = record.series("api", "memory")
    assert memory is not None
    assert list(memory.pairs()) == [(1000.5, 5.0), (1002.5, 7.0)]
    assert memory.between(1001, 1003).values == [7.0]
    assert record.quantities("api") == ["memory", "cpu"]
    assert record.series("api", "threads") is None
    assert record.latest(CPU) == 0.25


def test_recent_values_are_read_without_the_older_rows() -> None:
    record = ResourceRecord()
    for second in range(20):
        record.put(1000 + second, {MEMORY: float(second), CPU: 0.5 if second < 5 else None})
    assert record.latest(MEMORY) == 19.0
    assert record.mean_since(MEMORY, 1016) == 17.5
    assert record.mean_since(MEMORY, 0) == 9.5
    assert record.latest(CPU) == 0.5
    assert record.mean_since(CPU, 1005) is None
    assert record.mean_since(ResourceColumn("worker", "memory"), 0) is None
    assert ResourceRecord().latest(MEMORY) is None


@pytest.mark.parametrize("seconds", [MAX_ROWS + 1, 2 * MAX_ROWS + 3, 4 * MAX_ROWS])
def test_the_newest_value_is_known_in_wider_rows_too(seconds: int) -> None:
    record = ResourceRecord()
    for second in range(seconds):
        record.put(second, {MEMORY: float(second)})
    newest = record.series("api", "memory")
    assert newest is not None
    assert record.latest(MEMORY) == newest.values[-1]
    assert ResourceRecord.from_json(record.to_json()).latest(MEMORY) == newest.values[-1]


def test_a_column_without_values_does_not_exist() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: None, CPU: math.nan})
    assert record.columns == []


def test_a_long_run_has_wider_rows_and_the_same_mean() -> None:
    record = ResourceRecord()
    for second in range(4 * MAX_ROWS):
        record.put(second, {MEMORY: float(second)})
    memory = record.series("api", "memory")
    assert memory is not None
    assert record.step_s == 4
    assert len(memory.values) == MAX_ROWS
    assert memory.values[:2] == [1.5, 5.5]
    assert memory.times_s[:2] == [2.0, 6.0]


def test_a_second_before_the_first_one_is_ignored() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 1.0})
    record.put(1000 - MAX_EARLY_S, {MEMORY: 2.0})
    memory = record.series("api", "memory")
    assert memory is not None
    assert memory.values == [1.0]
    assert record.notes == []


@pytest.mark.parametrize("second", [1000 - MAX_EARLY_S - 1, 1000 + MAX_GAP_S + 1])
def test_values_that_are_missing_because_the_clock_was_set_are_a_note(second: int) -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 1.0})
    record.put(second, {MEMORY: 2.0})
    assert len(record.series("api", "memory") or ()) == 1
    assert record.notes == ["values of resources are missing, because the clock was set"]


def test_a_run_can_be_longer_than_the_gap_between_two_readings() -> None:
    record = ResourceRecord()
    for second in range(0, 4 * MAX_GAP_S, MAX_GAP_S // 2):
        record.put(second, {MEMORY: 1.0})
    assert len(record.series("api", "memory") or ()) == 8
    assert record.notes == []


def test_the_number_of_columns_is_bounded() -> None:
    record = ResourceRecord()
    record.put(1, {ResourceColumn(f"r{number}", "memory"): 1.0 for number in range(2 * MAX_COLUMNS)})
    record.put(2, {ResourceColumn("late", "memory"): 1.0})
    assert len(record.columns) == MAX_COLUMNS
    assert record.notes == [f"only the first {MAX_COLUMNS} quantities are recorded"]


def test_the_json_form_is_read_back_without_loss() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5.0})
    record.put(1003, {CPU: 0.1})
    record.notes.append("no process of 'worker' was found")
    record.sampler_cpu_share = 0.002
    data = json.loads(json.dumps(record.to_json()))
    again = ResourceRecord.from_json(data)
    assert again.to_json() == data
    assert again.columns == [MEMORY, CPU]
    assert again.series("api", "cpu") == record.series("api", "cpu")
    assert again.notes == record.notes


@pytest.mark.parametrize("values", ["", "!", "AAAA", "eJwDAAAAAAE="])
def test_an_incomplete_column_is_refused(values: str) -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5.0})
    data = record.to_json()
    data["columns"][0]["values"] = values
    with pytest.raises(ValueError):  # noqa: PT011 - base64 and zlib have messages of their own
        ResourceRecord.from_json(data)


def test_a_column_that_unpacks_to_more_than_its_rows_is_refused() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5.0})
    data = record.to_json()
    data["columns"][0]["values"] = b64encode(zlib.compress(bytes(MIB))).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="has 9 bytes, not 8"):
        ResourceRecord.from_json(data)
    assert tracemalloc.get_traced_memory()[1] < MIB / 2
    tracemalloc.stop()
    with pytest.raises(ValueError, match="more than 7200"):
        ResourceRecord.from_json(data | {"rows": 10**9})


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 2 * MAX_VALUE, -2 * MAX_VALUE, 1.7e308])
def test_a_value_that_no_computer_can_have_is_unknown(value: float) -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5.0, CPU: value})
    record.put(1001, {MEMORY: value})
    assert record.columns == [MEMORY]
    assert record.latest(MEMORY) == 5.0


def test_a_value_that_is_hardly_different_from_zero_is_zero() -> None:
    record = ResourceRecord()
    record.put(1000, {MEMORY: 5e-324, CPU: 1e-9})
    assert (record.latest(MEMORY), record.latest(CPU)) == (0.0, 1e-9)


def test_an_empty_record_has_no_rows() -> None:
    data = ResourceRecord().to_json()
    assert data["rows"] == 0
    assert ResourceRecord.from_json(data).columns == []


def test_resources_have_the_given_order_in_the_file_too() -> None:
    later, other = replace(MEMORY, resource="worker"), replace(MEMORY, resource="machine")
    record = ResourceRecord(order=[MEMORY.resource, "worker", MEMORY.resource])
    for second, column in enumerate((other, later, MEMORY)):
        record.put(1000 + second, {column: 1.0})
    assert record.columns == [MEMORY, later, other]
    assert ResourceRecord.from_json(record.to_json()).columns == [MEMORY, later, other]
