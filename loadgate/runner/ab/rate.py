"""The arrival rate of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadgate.runner.ab.request import AbRequest
from loadgate.runner.ab.segments import Meter, SegmentError, problem_of, request_rate
from loadgate.runner.ab.sides import Side
from loadgate.runner.ab.suite import Suite

_SPAWN_RATE = "100"
"""Users start this fast per second, so that the segment is measured with all of them."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in arrivals per second. `origin` says where it comes from, one clause."""

    per_s: float
    origin: str


def given_rate(request: AbRequest, suite: Suite) -> Rate | None:
    """Return the rate of the request or of an open profile. None if there is none."""
    if (given := request.rate_per_s) is not None:
        return Rate(given, "given with --rate")
    if suite.rate_per_s is not None:
        return Rate(_rounded(suite.rate_per_s), "the mean rate of the profile")
    return None


def measured_rate(base: Side, meter: Meter, folder: Path) -> Rate:
    """Measure the request rate of the closed model on base. `folder` is the folder of the run.

    Raises:
        SegmentError: The closed model makes no requests.
    """
    document, _ = meter.measure(base, ["--spawn-rate", _SPAWN_RATE], folder)
    rate = request_rate(document)
    if rate is None:
        reason = problem_of(document) or "the profile made no requests"
        raise SegmentError(f"base, {base}: the closed model gives no rate: {reason}; give one with --rate")
    return Rate(_rounded(rate), "the request rate of the profile's closed model on base")


def _rounded(rate_per_s: float) -> float:
    return float(f"{rate_per_s:.3g}")
