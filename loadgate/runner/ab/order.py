"""The order of the sides within pairs. A pure function."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from typing import Literal

SideName = Literal["base", "head"]
SIDES: tuple[SideName, SideName] = ("base", "head")


def side_orders(pairs: int, seed: int) -> Iterator[tuple[SideName, SideName]]:
    """Yield the order of the sides of each pair, endlessly.

    Base is first in half of every `pairs` pairs, shuffled by the seed. If their number is odd, the side that is first
    once more than the other one alternates.
    """
    base_first, head_first = SIDES, (SIDES[1], SIDES[0])
    shuffled = random.Random(seed)  # noqa: S311 - no secret
    for block in count():
        more, fewer = (base_first, head_first) if block % 2 == 0 else (head_first, base_first)
        orders = [more] * ((pairs + 1) // 2) + [fewer] * (pairs // 2)
        shuffled.shuffle(orders)
        yield from orders
