"""Test packed cells: lossless, small, and refused if incomplete."""

import json
import math
import random
from base64 import b64decode, b64encode
from typing import Any

import pytest

from loadgate.recorder.cells import Cell, Slot
from loadgate.recorder.packed import iter_slots, pack, unpack

START_S = 1_700_000_000


def cells(count: int, *, requests: int = 20, service: bool = False) -> list[Slot]:
    rnd = random.Random(4)
    slots = []
    for number in range(count):
        cell = Cell()
        for _ in range(requests):
            latency_ms = rnd.lognormvariate(3, 1.2)
            cell.record(latency_ms, rnd.randrange(5000), latency_ms / 2 if service else None)
        slots.append(Slot(START_S + number * 10, 10, cell))
    return slots


def plain(slots: list[Slot]) -> list[Any]:
    return [(s.start_s, s.width_s, s.cell.response_bytes, s.cell.latency, s.cell.service) for s in slots]


@pytest.mark.parametrize("service", [False, True])
def test_packed_cells_are_restored(service: bool) -> None:
    slots = cells(50, service=service)
    if service:
        slots[7].cell.service = None
        slots[8].cell.latency.record(3_600_000.0, times=70_000)

    again = list(iter_slots(unpack(json.loads(json.dumps(pack(slots))))))

    assert plain(again) == plain(slots)


def test_an_empty_series_is_restored() -> None:
    assert list(iter_slots(unpack(pack([])))) == []


def test_a_cell_of_a_few_requests_takes_a_few_bytes() -> None:
    packed = json.dumps(pack(cells(1000, requests=5)))

    assert len(packed) < 1000 * 90


def test_incomplete_cells_are_refused() -> None:
    data = pack(cells(10))

    with pytest.raises(ValueError, match="bytes instead of at least"):
        unpack(data | {"count": 11_000})
    half = b64encode(b64decode(data["columns"])[:50]).decode()
    with pytest.raises(ValueError, match="recorded cells cannot be read"):
        unpack(data | {"columns": half})


def test_a_wide_distribution_is_restored() -> None:
    rnd = random.Random(3)
    cell = Cell()
    for _ in range(20_000):
        cell.record(math.exp(rnd.uniform(math.log(0.1), math.log(600_000))), 1, None)

    (again,) = iter_slots(unpack(pack([Slot(START_S, 1, cell)])))

    assert again.cell.latency == cell.latency
