"""The order in which user classes get their users. A pure function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heapreplace
from math import log2


def weighted_order(weights: Iterable[tuple[str, float]]) -> Iterator[str]:
    """Yield class names endlessly: first each class once, by descending weight, then in proportion to the weights.

    After the first round the next name is the one that brings the shares closest to the weights, measured by the
    Kullback-Leibler divergence as in Locust's dispatcher. Without a positive weight nothing is yielded.
    """
    positive = sorted(((weight, name) for name, weight in weights if weight > 0), key=lambda item: (-item[0], item[1]))
    if not positive:
        return
    yield from (name for _, name in positive)
    # (gain if it is chosen next, weight plus the number of times it was chosen, weight, name)
    heap = [(weight * log2((weight + 1) / (weight + 2)), weight + 1, weight, name) for weight, name in positive]
    heapify(heap)
    while True:
        _, chosen, weight, name = heap[0]
        yield name
        heapreplace(heap, (weight * log2((chosen + 1) / (chosen + 2)), chosen + 1, weight, name))
