"""Check option values that Locust's parser accepts but that prevent a run."""

from __future__ import annotations

from argparse import Namespace

from loadgate.units import count

MAX_USERS = 10_000_000
"""More users than any generator can run. With much larger numbers, Locust fails during the run."""


def option_problem(options: Namespace) -> str | None:
    """Return the first wrong option and what it must be. `None` if all are valid."""
    if not 0 <= (options.num_users or 0) <= MAX_USERS:
        return f"-u, --users: must be from 0 to {count(MAX_USERS)}"
    if options.run_time is not None and options.run_time <= 0:
        # For Locust, 0 means a run without end.
        return "-t, --run-time: a run time must be above 0, such as 30s"
    return None
