"""Values that Locust's parser accepts for its options and a run cannot be made with."""

from __future__ import annotations

from argparse import Namespace

from loadgate.units import count

MAX_USERS = 10_000_000
"""More simulated users than any generator can hold; Locust fails in the middle of a run with numbers far above it."""


def option_problem(options: Namespace) -> str | None:
    """Say which parsed option no run can be made with, and what it must be; `None` when all can be used."""
    if not 0 <= (options.num_users or 0) <= MAX_USERS:
        return f"-u, --users: must be from 0 to {count(MAX_USERS)}"
    if options.run_time is not None and options.run_time <= 0:
        # Locust takes 0 for a run without end.
        return "-t, --run-time: a run time must be above 0, such as 30s"
    return None
