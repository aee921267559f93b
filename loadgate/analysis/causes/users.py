"""Which groups use a wait: a regression of the number of waits on the requests of each group.

The counter of a wait does not say which requests waited. While nothing is wrong, the number of waits depends on the
number of requests of the groups that use it, and these numbers vary independently of those of other groups. A group
whose requests certainly make almost no waits cannot have waited.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NEGLIGIBLE = 0.1
"""A group uses a wait if its requests may make at least this many waits each."""

ERRORS = 3.0
"""The distance of the upper bound of the waits per request from the estimate, in standard errors."""

ROWS_PER_GROUP = 10


def users(waits: Sequence[float], requests: Sequence[Sequence[float]]) -> set[int]:
    """Return the indices of the groups that may use a wait.

    `waits` are the waits of each period, and `requests` the requests of each group in each period. A group is left out
    only if its requests certainly make less than NEGLIGIBLE waits each. If the data do not distinguish the groups, for
    example because all rates are constant, none is left out.
    """
    groups = range(len(requests))
    everyone = set(groups)
    freedom = len(waits) - len(requests)
    if len(waits) < ROWS_PER_GROUP * len(requests) or len(requests) < 2:
        return everyone
    products = [[_dot(requests[row], requests[column]) for column in groups] for row in groups]
    inverse = _inverse(products)
    if inverse is None:
        return everyone
    targets = [_dot(requests[row], waits) for row in groups]
    per_request = [_dot(inverse[row], targets) for row in groups]
    rest = [waits[at] - sum(per_request[group] * requests[group][at] for group in groups) for at in range(len(waits))]
    variance = _dot(rest, rest) / freedom
    found = {
        group
        for group in groups
        if per_request[group] + ERRORS * math.sqrt(max(0.0, variance * inverse[group][group])) >= NEGLIGIBLE
    }
    return found or everyone


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Return the inverse by Gauss-Jordan elimination, or None if the matrix is singular or nearly so."""
    size = len(matrix)
    rows = [[*map(float, row), *(float(at == column) for column in range(size))] for at, row in enumerate(matrix)]
    for column in range(size):
        best = max(range(column, size), key=lambda row: abs(rows[row][column]))
        if abs(rows[best][column]) <= 1e-9 * (matrix[column][column] or 1.0):
            return None
        rows[column], rows[best] = rows[best], rows[column]
        pivot = rows[column][column]
        rows[column] = [value / pivot for value in rows[column]]
        for row in range(size):
            if row != column and (factor := rows[row][column]):
                rows[row] = [value - factor * own for value, own in zip(rows[row], rows[column], strict=True)]
    return [row[size:] for row in rows]
