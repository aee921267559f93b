"""The arrival rate of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadgate.credentials import without_credentials
from loadgate.report.capacity.document import FRESH
from loadgate.report.capacity.stored import capacity_on
from loadgate.report.this_machine import machine_class
from loadgate.runner.ab.request import AbRequest
from loadgate.runner.ab.segments import Meter, SegmentError, request_rate
from loadgate.runner.ab.sides import Side
from loadgate.runner.headless import problem_of
from loadgate.runner.suite import Suite
from loadgate.units import given

_SPAWN_RATE = "100"
"""The spawn rate, in users per second. All users start early, so most of the run has the full load."""

_DIGITS = 3
_FRACTION = 0.2
"""The fraction of the request rate that is used as arrival rate. With up to five requests a task, the load is at most
that of the closed model."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in arrivals per second. `origin` says where it comes from, one clause."""

    per_s: float
    origin: str


def given_rate(request: AbRequest, suite: Suite, searches: Path) -> Rate | None:
    """Return the rate of the request, half of a known capacity, or the rate of an open profile. None if there is none.

    `searches` is the folder of the searches for the capacity.
    """
    if (per_s := request.rate_per_s) is not None:
        return Rate(per_s, "given with --rate")
    target = FRESH if request.urls is None else without_credentials(request.urls[0])
    if (found := capacity_on(searches, suite.load_hash, machine_class(), target)) is not None:
        name, document = found
        if (holds := document.result.holds_per_s) is not None:
            return Rate(_rounded(holds / 2), f"half of the capacity of {given(holds, '/s')} in {name}")
    if suite.rate_per_s is not None:
        return Rate(_rounded(suite.rate_per_s), "the mean rate of the profile")
    return None


def measured_rate(base: Side, meter: Meter, folder: Path) -> Rate:
    """Measure how many tasks per second the closed model starts on base. The runs are written to `folder`.

    A run of the closed model gives the rate of its requests. A run of the open model at a fraction of it gives the
    requests of a task.

    Raises:
        SegmentError: A model makes no requests.
    """
    requests_per_s = _request_rate(base, meter, ["--spawn-rate", _SPAWN_RATE], folder / "closed")
    low = _rounded(requests_per_s * _FRACTION)
    requests_per_task = _request_rate(base, meter, meter.load.paced(low, 0), folder / "open") / low
    return Rate(_rounded(requests_per_s / requests_per_task), "measured with the profile's closed model on base")


def _request_rate(base: Side, meter: Meter, options: Sequence[str], folder: Path) -> float:
    document, _ = meter.measure(base, options, folder)
    rate = request_rate(document)
    if rate is None:
        reason = problem_of(document).text or "the profile made no requests"
        raise SegmentError(
            f"base, {base}: the arrival rate cannot be measured: {reason}; set it with --rate, such as --rate 50/s"
        )
    return rate


def _rounded(rate_per_s: float) -> float:
    """Return a rate above 0 with so many significant digits."""
    return round(rate_per_s, _DIGITS - 1 - math.floor(math.log10(rate_per_s)))
