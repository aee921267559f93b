"""What the monitoring routes say of workers that come, go, hang and die, and how soon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.service.faults.conftest import OwnRedis
from tests.support.bounds import shows
from tests.support.fault_proxy import Toxic, fault_proxy
from tests.support.processes import redis_server, wait_until
from tests.support.service import PREFIX, ApiProcess, ServiceProcess, api_process, service_env, worker_process

pytestmark = pytest.mark.full

# The bounds of the contract.
DEATH_SEEN_S = 5.0
STOP_SEEN_S = 1.0
START_SEEN_S = 3.0
OUTAGE_SEEN_S = 5.0

StartWorker = Callable[[str], ServiceProcess]


@pytest.fixture
def env(tmp_path: Path, own_redis: OwnRedis) -> dict[str, str]:
    return service_env(tmp_path / "service", own_redis.url, CELERY_SOFT_SHUTDOWN_S="30")


@pytest.fixture
def start_worker(tmp_path: Path, env: dict[str, str]) -> Iterator[StartWorker]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(worker_process(tmp_path / "service", env, name, concurrency=1))


@pytest.fixture
def api(tmp_path: Path, env: dict[str, str]) -> Iterator[ApiProcess]:
    with api_process(tmp_path / "service", env) as api:
        yield api


def health(api: ApiProcess) -> dict[str, Any]:
    response = api.get("/tasks/health")
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def states(api: ApiProcess) -> dict[str, str]:
    stats = api.get("/tasks/workers/stats").json()["stats"]
    return {name: worker["status"] for name, worker in stats.items()}


def uptime_s(api: ApiProcess) -> int:
    """By the worker's last word, so it grows only while the worker is heard."""
    (worker,) = api.get("/tasks/workers/stats").json()["stats"].values()
    uptime: int = worker["stats"]["uptime"]
    return uptime


def test_each_of_two_workers_is_told_apart_when_one_is_killed(api: ApiProcess, start_worker: StartWorker) -> None:
    assert health(api)["status"] == "degraded"
    start_worker("one")
    wait_until(lambda: states(api) == {"celery@one": "online"}, within_s=START_SEEN_S)
    two = start_worker("two")
    wait_until(lambda: health(api)["active_workers"] == 2, within_s=START_SEEN_S)
    two.process.kill()
    expected = {"celery@one": "online", "celery@two": "unresponsive"}
    wait_until(lambda: states(api) == expected, within_s=DEATH_SEEN_S)
    now = health(api)
    assert (now["status"], now["active_workers"], now["celery_available"]) == ("healthy", 1, True)
    assert api.get("/tasks/workers/stats").json()["ping"] == {
        "celery@one": {"ok": "pong"},
        "celery@two": {"error": "unresponsive"},
    }


def test_stopped_worker_is_gone_within_a_second(api: ApiProcess, start_worker: StartWorker) -> None:
    workers: list[ServiceProcess] = []

    def start() -> None:
        wait_until(lambda: states(api) == {})
        workers.append(start_worker(f"number{len(workers)}"))
        wait_until(lambda: health(api)["active_workers"] == 1)

    def stop() -> None:
        workers[-1].process.terminate()

    start()
    shows(
        lambda: health(api)["active_workers"] == 0,
        within_s=STOP_SEEN_S,
        after=stop,
        undo=start,
    )
    assert health(api)["status"] == "degraded"
    wait_until(lambda: states(api) == {}, what="a worker that said goodbye leaves the list")


def test_worker_that_is_killed_while_it_stops_is_unresponsive(
    api: ApiProcess, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker("one")
    with api.client() as client:
        body = {"task": "test.held", "args": [str(tmp_path / "never"), str(tmp_path / "notes")]}
        assert client.post(f"{PREFIX}/test/submit", json=body).status_code == 202
    wait_until((tmp_path / "notes").exists)
    worker.process.terminate()
    wait_until(lambda: states(api) == {"celery@one": "stopping"})
    time.sleep(2 * DEATH_SEEN_S)  # longer than one that says nothing is believed, shorter than it takes to stop
    assert states(api) == {"celery@one": "stopping"}
    worker.process.kill()
    wait_until(lambda: states(api) == {"celery@one": "unresponsive"}, within_s=DEATH_SEEN_S)


def test_a_store_of_results_of_its_own_is_looked_at_too(tmp_path: Path, env: dict[str, str]) -> None:
    with (
        redis_server(tmp_path / "results") as (url, process),
        api_process(tmp_path / "service", env | {"CELERY_RESULT_BACKEND": url}) as api,
    ):
        assert health(api)["status"] == "degraded", "no worker runs"
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: health(api)["status"] == "unhealthy", within_s=OUTAGE_SEEN_S)
        assert health(api)["message"] == "The store of task results does not respond."
        os.kill(process.pid, signal.SIGCONT)
        wait_until(lambda: health(api)["status"] == "degraded", within_s=OUTAGE_SEEN_S)


def test_frozen_worker_is_unresponsive_and_comes_back(api: ApiProcess, start_worker: StartWorker) -> None:
    worker = start_worker("one")
    wait_until(lambda: health(api)["active_workers"] == 1, within_s=START_SEEN_S)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: states(api) == {"celery@one": "unresponsive"}, within_s=DEATH_SEEN_S)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: states(api) == {"celery@one": "online"}, within_s=START_SEEN_S)


def test_every_api_process_sees_the_same(tmp_path: Path, env: dict[str, str], start_worker: StartWorker) -> None:
    worker = start_worker("one")
    with api_process(tmp_path / "service", env, "--workers", "2") as api:
        wait_until(lambda: health(api)["active_workers"] == 1, within_s=START_SEEN_S)
        worker.process.kill()

        def all_know() -> bool:
            return all(health(api)["active_workers"] == 0 for _ in range(8))

        wait_until(all_know, within_s=DEATH_SEEN_S + 1)


@pytest.mark.parametrize("how", ["stopped", "frozen", "blackholed"])
def test_broker_outage_is_seen_and_survived(
    how: str, tmp_path: Path, own_redis: OwnRedis, start_worker: StartWorker
) -> None:
    start_worker("one")
    with ExitStack() as stack:
        proxy = stack.enter_context(fault_proxy(own_redis.port))
        env = service_env(tmp_path / "other", f"redis://127.0.0.1:{proxy.port}/0")
        api = stack.enter_context(api_process(tmp_path / "other", env))
        wait_until(lambda: health(api)["active_workers"] == 1, within_s=START_SEEN_S)
        for _ in range(2):
            if how == "blackholed":
                proxy.add(Toxic("timeout"))
            elif how == "frozen":
                own_redis.process.send_signal(signal.SIGSTOP)
            else:
                proxy.add(Toxic("down"))
            wait_until(lambda: health(api)["celery_available"] is False, within_s=OUTAGE_SEEN_S)
            assert health(api)["status"] == "unhealthy"
            assert states(api) == {"celery@one": "unresponsive"}
            own_redis.process.send_signal(signal.SIGCONT)
            proxy.clear()
            wait_until(lambda: health(api)["active_workers"] == 1, within_s=OUTAGE_SEEN_S)


def test_worker_and_api_find_a_restarted_broker(tmp_path: Path, own_redis: OwnRedis, start_worker: StartWorker) -> None:
    start_worker("one")
    with api_process(tmp_path / "service", service_env(tmp_path / "service", own_redis.url)) as api:
        wait_until(lambda: health(api)["active_workers"] == 1, within_s=START_SEEN_S)
        own_redis.stop()
        wait_until(lambda: health(api)["celery_available"] is False, within_s=OUTAGE_SEEN_S)
        with redis_server(own_redis.folder, own_redis.port):
            wait_until(lambda: health(api)["celery_available"] is True, within_s=OUTAGE_SEEN_S)
            wait_until(lambda: health(api)["active_workers"] == 1, within_s=40, what="the worker back at its broker")
            first = uptime_s(api)
            wait_until(lambda: uptime_s(api) >= first + 5, what="the beat going on after the reconnection")
            assert states(api) == {"celery@one": "online"}


def test_api_stops_within_moments_while_the_broker_is_silent(tmp_path: Path, own_redis: OwnRedis) -> None:
    with api_process(tmp_path / "service", service_env(tmp_path / "service", own_redis.url)) as api:
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: health(api)["celery_available"] is False, within_s=OUTAGE_SEEN_S)
            api.process.terminate()
            assert api.process.wait(20) == 0
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
