"""Test that each cause of the waiting stub slows its requests, and shows only where it should."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.calibrate.stubs.started import Started, stub
from tests.support.processes import wait_until

pytestmark = pytest.mark.process

REQUESTS = 10


def metrics(stub: Started) -> dict[str, float]:
    families = text_string_to_metric_families(stub.get("/metrics"))
    return {sample.name: sample.value for family in families for sample in family.samples}


def ask(stub: Started) -> None:
    """Send the requests at the same time."""
    with ThreadPoolExecutor(REQUESTS) as clients:
        assert list(clients.map(stub.get, ["/"] * REQUESTS)) == ["ok\n"] * REQUESTS


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_requests_wait_until_the_job_returns_its_slots() -> None:
    with stub("waiting", "pool", "--slots", 2, "--taken", 2) as waiting, ThreadPoolExecutor(1) as client:
        waiting.get("/disturb?for=600")
        answers = client.submit(ask, waiting)
        wait_until(lambda: metrics(waiting)["pool_waiting"] == REQUESTS)
        at_first = metrics(waiting)
        time.sleep(0.1)
        waiting.get("/disturb?for=0")
        answers.result(30)
        now, truth = metrics(waiting), waiting.truth()
    assert (at_first["pool_in_use"], at_first["pool_limit"], at_first["pool_wait_seconds_count"]) == (2, 2, 0)
    assert (now["pool_in_use"], now["pool_waiting"], now["pool_wait_seconds_count"]) == (0, 0, REQUESTS)
    assert now["pool_wait_seconds_sum"] == pytest.approx(truth["waited_s"])
    assert now["pool_wait_seconds_sum"] >= REQUESTS * 0.1
    assert truth["began"] + 0.1 <= truth["ended"]
    assert (truth["slept_s"], truth["burnt_s"]) == (0, 0)


def test_a_job_leaves_the_slots_that_it_does_not_take() -> None:
    with stub("waiting", "pool", "--slots", 11, "--taken", 10) as waiting:
        waiting.get("/disturb?for=600")
        assert metrics(waiting)["pool_in_use"] == 10
        ask(waiting)
        assert metrics(waiting)["pool_wait_seconds_count"] == REQUESTS


def test_an_outside_delay_shows_in_no_metric() -> None:
    with stub("waiting", "outside", "--sleep", 0.05, "--slots", 100) as waiting:
        waiting.get("/disturb?for=600")
        ask(waiting)
        now, truth = metrics(waiting), waiting.truth()
    assert truth["slept_s"] == pytest.approx(REQUESTS * 0.05)
    assert now["pool_wait_seconds_count"] == REQUESTS
    assert now["pool_wait_seconds_sum"] < 0.2


def test_a_burn_uses_cpu_time() -> None:
    with stub("waiting", "burn", "--burn", 0.03, "--slots", 100) as waiting:
        waiting.get("/disturb?for=600")
        before = cpu_s(waiting.pid)
        ask(waiting)
        truth, used_s = waiting.truth(), cpu_s(waiting.pid) - before
    assert truth["burnt_s"] == pytest.approx(REQUESTS * 0.03)
    # /proc counts in ticks of 10 ms.
    assert used_s >= REQUESTS * 0.03 - 0.05


@pytest.mark.parametrize("cause", ["pool", "outside", "burn", "none"])
def test_without_its_cause_a_stub_is_not_slow(cause: str) -> None:
    with stub("waiting", cause, "--slots", 100) as waiting:
        ask(waiting)
        waiting.get("/disturb?for=0")
        wait_until(lambda: waiting.truth()["ended"])
        ask(waiting)
        now, truth = metrics(waiting), waiting.truth()
    assert now["pool_wait_seconds_count"] == 2 * REQUESTS
    assert now["pool_wait_seconds_sum"] < 0.2
    assert (truth["slept_s"], truth["burnt_s"]) == (0, 0)
