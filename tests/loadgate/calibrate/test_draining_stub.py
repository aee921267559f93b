"""Test that the draining stub is as slow and as wrong as its own schedule says."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest

from benchmarks.calibrate.stubs.started import Started, stub
from tests.support.processes import wait_until

pytestmark = pytest.mark.process

QUICK = ("--base", "0.001", "--build", "0.01")


@contextmanager
def connection(stub: Started) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(urlsplit(stub.url).netloc, timeout=30)) as connection:
        yield connection


def timed(connection: http.client.HTTPConnection) -> tuple[int, float]:
    """The status of a request and how many seconds it took."""
    began = time.perf_counter()
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    return response.status, time.perf_counter() - began


def test_a_commanded_disturbance_slows_requests_for_as_long_as_its_truth_says() -> None:
    with stub("draining", "--tau", "never", "--peak", "0.1", *QUICK) as draining, connection(draining) as client:
        assert draining.truth()["began"] is None
        before = time.time()
        draining.get("/disturb?for=0.2")
        wait_until(lambda: draining.truth()["ended"])
        truth = draining.truth("?below=0.05")
        assert before - 0.1 <= truth["began"]
        assert truth["ended"] - truth["began"] >= 0.2
        assert truth["ended"] <= time.time() + 0.1
        assert (truth["level_at_end_s"], truth["calm_from"], truth["tau_s"]) == (0.1, None, None)
        for _ in range(5):
            status, took_s = timed(client)
            assert status == 200
            assert took_s >= 0.1


def test_a_delay_that_drains_is_over_when_its_truth_says() -> None:
    with stub("draining", "--tau", "0.05", "--peak", "20", *QUICK) as draining, connection(draining) as client:
        draining.get("/disturb?for=0.2")
        wait_until(lambda: draining.truth()["ended"])
        truth = draining.truth("?below=0.000001")
        assert truth["level_at_end_s"] == 20
        assert 0.8 < truth["calm_from"] - truth["ended"] < 0.9
        wait_until(lambda: time.time() > truth["calm_from"] + 0.1)
        # 20 s were added at the end of the disturbance.
        assert timed(client)[1] < 10


def test_a_disturbance_that_slows_nothing_needs_no_recovery() -> None:
    with stub("draining", "--tau", "never", "--peak", "0", *QUICK) as draining:
        draining.get("/disturb?for=0.1")
        wait_until(lambda: draining.truth()["ended"])
        truth = draining.truth("?below=0")
        assert truth["calm_from"] == truth["began"]


def test_requests_fail_only_while_a_disturbance_is_on() -> None:
    options = ("--tau", "1", "--peak", "0", "--failures", "1", *QUICK)
    with stub("draining", *options) as draining, connection(draining) as client:
        assert timed(client)[0] == 200
        draining.get("/disturb?for=600")
        assert [timed(client)[0] for _ in range(5)] == [500] * 5
        draining.get("/disturb?for=0")
        assert timed(client)[0] == 200
        truth = draining.truth()
    assert (truth["requests"], truth["failed"], truth["on"]) == (7, 5, False)


def test_too_many_requests_in_a_second_are_a_disturbance() -> None:
    with (
        stub("draining", "--tau", "1", "--peak", "0.001", "--overload", "10", *QUICK) as draining,
        ExitStack() as open_,
    ):
        clients = [open_.enter_context(connection(draining)) for _ in range(100)]
        for client in clients:
            client.connect()
        for client in clients:
            client.request("GET", "/")
        for client in clients:
            assert client.getresponse().status == 200
        assert draining.truth()["began"] is not None
        wait_until(lambda: draining.truth("?below=1")["calm_from"])
        assert draining.truth()["ended"] >= draining.truth()["began"]


def test_the_service_time_has_the_percentile_that_its_truth_says() -> None:
    with stub("draining", "--tau", "1", "--base", "0.02", "--sigma", "0") as draining, connection(draining) as client:
        assert draining.truth()["base_p95_s"] == pytest.approx(0.02)
        assert all(timed(client)[1] >= 0.019 for _ in range(5))
