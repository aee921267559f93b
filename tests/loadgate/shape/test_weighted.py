"""No class with a weight is left out once there are users enough, and the shares follow the weights."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from loadgate.shape.weighted import weighted_order

SPIKE = {"health": 28.0, "full": 2.0, "auth": 50.0, "tasks": 2.0}


@pytest.mark.parametrize("users", [4, 5, 18, 100])
def test_every_class_has_a_user(users: int) -> None:
    counts = Counter(islice(weighted_order(SPIKE.items()), users))
    assert set(counts) == set(SPIKE)
    assert counts.total() == users


def test_the_heaviest_classes_come_first() -> None:
    assert list(islice(weighted_order(SPIKE.items()), 2)) == ["auth", "health"]


def test_shares_follow_the_weights() -> None:
    total = 8200
    counts = Counter(islice(weighted_order(SPIKE.items()), total))
    for name, weight in SPIKE.items():
        assert counts[name] == pytest.approx(total * weight / 82, abs=3)


def test_classes_without_weight_never_appear() -> None:
    assert set(islice(weighted_order([("a", 1), ("b", 0)]), 20)) == {"a"}
    assert list(weighted_order([("b", 0)])) == []
