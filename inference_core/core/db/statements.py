"""Time the statements of a dialect: from sending a statement until its rows have arrived, and each commit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from time import perf_counter
from typing import Any

from sqlalchemy import Dialect

STATEMENTS = ("do_execute", "do_executemany", "do_execute_no_params", "do_commit")


def time_statements(dialect: Dialect, observe: Callable[[float], None]) -> None:
    """Call `observe` with the seconds of each statement and commit, including failed ones.

    The events of SQLAlchemy do not report the end of a failed statement, for example after a timeout.
    """
    for name in STATEMENTS:
        setattr(dialect, name, _timed(getattr(dialect, name), observe))


def _timed(step: Callable[..., None], observe: Callable[[float], None]) -> Callable[..., None]:
    @functools.wraps(step)
    def timed(*args: Any, **options: Any) -> None:
        start_s = perf_counter()
        try:
            step(*args, **options)
        finally:
            observe(perf_counter() - start_s)

    return timed
