"""Processes whose wall clock is off, by libfaketime."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers.unavailable import ServerUnavailableError, skip_or_fail


def shifted_clock(shift: str) -> dict[str, str]:
    """The environment of a process whose wall clock is off by `shift`, such as +7s. Its monotonic clock is right."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        skip_or_fail(ServerUnavailableError("libfaketime is not installed; on Debian: apt-get install libfaketime"))
    only_the_day = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": str(library), "FAKETIME": shift, **only_the_day}
