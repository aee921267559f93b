"""Test the band of a scope: how many failures it tolerates."""

from __future__ import annotations

import pytest

from loadgate.analysis.confidence import share_interval
from loadgate.analysis.recovery.band import Band, find_band
from loadgate.analysis.traffic import Span
from tests.loadgate.analysis.made_traffic import BEFORE_S, START_S, second_of, traffic_of

FAILURES, REQUESTS = 20, 50 * BEFORE_S


def band_of(every_s: int, failures: int) -> Band:
    """The band of 50 requests per second, of which `failures` fail together in one second of each `every_s`."""
    traffic = traffic_of(
        lambda rnd, second: second_of(rnd, 50, failed=0.0 if second % every_s else failures / 50), seconds=BEFORE_S
    )
    found = find_band(traffic, [Span(START_S, START_S + BEFORE_S)])
    assert isinstance(found, Band)
    assert found.failure_share == FAILURES / REQUESTS
    return found


def test_failures_that_come_in_stalls_leave_more_doubt_about_their_share_than_scattered_ones() -> None:
    scattered, stalls = band_of(every_s=3, failures=1), band_of(every_s=30, failures=10)
    independent = share_interval(FAILURES, REQUESTS)
    assert independent is not None
    assert independent.high is not None
    assert scattered.failures_limit == pytest.approx(independent.high / 100)
    assert stalls.failures_limit > 2 * scattered.failures_limit
    # The base lies inside its band, as it is.
    assert not stalls.widened
