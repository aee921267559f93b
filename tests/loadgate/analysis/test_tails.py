"""Test that the p95 of short lists equals that of whole sketches."""

import random

import pytest

from loadgate.analysis.tails import p95_ms, tails
from loadgate.recorder import TimeSlot, Totals
from tests.loadgate.analysis.made_traffic import second_of


@pytest.mark.parametrize("requests", [4, 5, 20, 137, 1000])
def test_p95_of_a_window_is_that_of_its_requests(requests: int) -> None:
    rnd = random.Random(requests)
    slots = [
        TimeSlot(second, 1, second_of(rnd, rnd.randint(requests // 2 + 2, requests), sigma=1.0, failed=0.1))
        for second in range(30)
    ]
    made = tails(slots, 5)
    for at in range(26):
        sketch = Totals.sum(slot.totals for slot in slots[at : at + 5]).success
        found = p95_ms(made[at : at + 5])
        if sketch.count < 20:
            assert found is None
        else:
            # The sketch limits its middle bucket by the maximum.
            assert found == pytest.approx(sketch.quantile(0.95), rel=0.004)


def test_a_single_slow_second_is_not_cut_off() -> None:
    rnd = random.Random(1)
    slots = [TimeSlot(second, 1, second_of(rnd, 400, median_ms=1000 if second == 2 else 100)) for second in range(5)]
    sketch = Totals.sum(slot.totals for slot in slots).success
    assert p95_ms(tails(slots, 5)) == pytest.approx(sketch.quantile(0.95), rel=0.004)
