"""Time limits of the contract, held on a machine that other programs use too.

A try may be spoilt by them, so there are a few; a service that is too slow by itself fails every one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests.support.processes import wait_until

TRIES = 5
# How long anything may take in a spoilt try.
PATIENCE_S = 30.0

T = TypeVar("T")


def quick(call: Callable[[], T], *, within_s: float, check: Callable[[T], None]) -> None:
    """Call until an answer came in time; `check` looks at every one.

    Raises:
        AssertionError: none of `TRIES` did.
    """
    took_s: list[float] = []
    for _ in range(TRIES):
        start_s = time.monotonic()
        answer = call()
        took_s.append(time.monotonic() - start_s)
        check(answer)
        if took_s[-1] < within_s:
            return
    raise AssertionError(f"not within {within_s} s: {took_s}")


def shows(
    condition: Callable[[], object], *, within_s: float, after: Callable[[], object], undo: Callable[[], object]
) -> None:
    """Do `after` and see that `condition` holds in time; if it came late, `undo` that and try again.

    Raises:
        AssertionError: in none of `TRIES`.
    """
    took_s: list[float] = []
    while True:
        after()
        start_s = time.monotonic()
        wait_until(condition, within_s=within_s + PATIENCE_S)
        took_s.append(time.monotonic() - start_s)
        if took_s[-1] <= within_s:
            return
        assert len(took_s) < TRIES, f"not within {within_s} s: {took_s}"
        undo()
