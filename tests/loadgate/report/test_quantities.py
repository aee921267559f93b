"""Test how the columns of resources become quantities with names, units and texts."""

from __future__ import annotations

import pytest

from loadgate.recorder.resources import ColumnKind, ResourceColumn, ResourceUnit
from loadgate.report.quantities import Quantity, by_resource, quantities, real_limit

BYTES, SECONDS, COUNT = ResourceUnit.BYTES, ResourceUnit.SECONDS, ResourceUnit.COUNT
LEVEL, FLOW = ColumnKind.LEVEL, ColumnKind.FLOW


def only(*columns: ResourceColumn) -> Quantity:
    (found,) = quantities(columns)
    return found


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (ResourceColumn("api", "memory", LEVEL, BYTES), 312_400_000, "memory 312 MB"),
        (ResourceColumn("api", "memory.heap", LEVEL, BYTES), 1200, "memory.heap 1.20 kB"),
        (ResourceColumn("api", "cpu", FLOW, SECONDS), 0.82, "CPU 0.820 cores"),
        (ResourceColumn("api", "pss", LEVEL, BYTES), 1.5e9, "PSS 1.50 GB"),
        (ResourceColumn("api", "open_files", LEVEL, COUNT), 45.0, "open files 45"),
        (ResourceColumn("api", "open_files", LEVEL, COUNT), 45.25, "open files 45.3"),
        (ResourceColumn("api", "oldest_task", LEVEL, SECONDS), 12.0, "oldest task 12.0 s"),
        (ResourceColumn("api", "throttled", FLOW, SECONDS), 0.25, "throttled 0.250 s/s"),
        (ResourceColumn("api", "received", FLOW, BYTES), 2e6, "received 2.00 MB/s"),
        (ResourceColumn("api", "faults", FLOW, COUNT), 7, "faults 7.00/s"),
    ],
)
def test_a_quantity_has_words_and_a_unit(column: ResourceColumn, value: float, text: str) -> None:
    assert only(column).text(value) == text


def test_the_two_columns_of_a_wait_are_one_quantity() -> None:
    waited, waits = ResourceColumn("api", "loop_lag.sum", FLOW, SECONDS), ResourceColumn("api", "loop_lag.count", FLOW)
    for order in ((waited, waits), (waits, waited)):
        found = only(*order)
        assert (found.name, found.amount, found.per) == ("loop_lag", waited, waits)
        assert found.text(0.0031) == "event-loop lag 3.10 ms"
        assert found.chart == "Waits"


def test_half_of_a_wait_is_shown_by_itself() -> None:
    assert only(ResourceColumn("api", "lag.sum", FLOW, SECONDS)).text(0.5) == "lag.sum 0.500 s/s"
    assert only(ResourceColumn("api", "lag.count", FLOW)).text(20) == "lag.count 20.0/s"


def test_a_limit_belongs_to_its_quantity_and_has_its_unit() -> None:
    found = only(ResourceColumn("api", "cpu.limit"), ResourceColumn("api", "cpu", FLOW, SECONDS))
    assert found.text(0.5, 2.0) == "CPU 0.500 cores of 2.00 cores"
    assert found.limit is not None
    assert (found.limit.name, found.limit.unit) == ("cpu.limit", found.unit)
    assert only(ResourceColumn("database", "connections.limit")).text(20) == "connections.limit 20"


@pytest.mark.parametrize(("limit", "expected"), [(20.0, 20.0), (0.0, None), (-1.0, None), (None, None)])
def test_a_limit_of_zero_or_less_is_none(limit: float | None, expected: float | None) -> None:
    assert real_limit(limit) == expected


def test_quantities_are_ordered_by_resource_and_importance() -> None:
    columns = [
        *(ResourceColumn("worker", name) for name in ("other", "threads", "memory")),
        *(ResourceColumn("api", name) for name in ("open_files", "cpu")),
        ResourceColumn("worker", "cpu"),
    ]
    assert [(found.resource, found.name) for found in quantities(columns)] == [
        *(("worker", name) for name in ("cpu", "memory", "threads", "other")),
        *(("api", name) for name in ("cpu", "open_files")),
    ]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["cpu"], True),
        (["open_files"], True),
        (["depth"], True),
        (["wait.sum", "wait.count"], True),
        (["threads"], False),
        (["pss"], False),
        (["sessions"], False),
        (["sessions", "sessions.limit"], True),
    ],
)
def test_short_outputs_show_what_is_important_or_has_a_limit(names: list[str], shown: bool) -> None:
    assert only(*(ResourceColumn("api", name) for name in names)).is_detail is not shown


def test_a_name_with_two_units_is_one_quantity() -> None:
    first = ResourceColumn("api", "size", LEVEL, BYTES)
    assert only(first, ResourceColumn("api", "size", LEVEL, COUNT)).amount == first


@pytest.mark.parametrize("name", [".limit", ".sum", ".count", "."])
def test_a_name_that_is_only_a_suffix_is_a_name(name: str) -> None:
    assert only(ResourceColumn("api", name)).name == name


def test_texts_are_joined_by_resource_and_printable() -> None:
    assert by_resource([("api", "CPU 1"), ("api", "memory 2"), ("da\nta", "x\x1b[31m 3")]) == [
        ("api", "CPU 1, memory 2"),
        ("da ta", "x?[31m 3"),
    ]
    assert by_resource([]) == []
