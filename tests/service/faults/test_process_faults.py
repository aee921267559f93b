"""F13, F16, F17, F27: processes that are stopped, killed, blocked and overrun."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.service.faults.conftest import OwnRedis
from tests.support.processes import wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"


@pytest.fixture
def api(folder: Path, own_redis: OwnRedis) -> Iterator[ApiProcess]:
    with api_process(folder, service_env(folder, own_redis.url)) as api:
        yield api


class Balancer:
    """Sends each request to a replica that says it is ready, as an orchestrator would; asks every 50 ms."""

    def __init__(self, urls: list[str]) -> None:
        self.ready = dict.fromkeys(urls, True)
        self.outcomes: Counter[str] = Counter()
        self.stopped = False

    async def run(self, users: int) -> None:
        limits = httpx2.Limits(max_connections=users * 2 + 10)
        async with httpx2.AsyncClient(timeout=20, limits=limits, trust_env=False) as client:
            await asyncio.gather(self.watch(client), *(self.user(client, number) for number in range(users)))

    async def watch(self, client: httpx2.AsyncClient) -> None:
        while not self.stopped:
            for url in self.ready:
                try:
                    response = await client.get(f"{url}{PREFIX}/health/ready")
                    self.ready[url] = response.status_code == 200
                except httpx2.TransportError:
                    self.ready[url] = False
            await asyncio.sleep(0.05)

    async def user(self, client: httpx2.AsyncClient, number: int) -> None:
        while not self.stopped:
            urls = [url for url, ready in self.ready.items() if ready]
            try:
                response = await client.get(f"{urls[number % len(urls)]}{PREFIX}/test/slow?seconds=0.05")
                self.outcomes[str(response.status_code)] += 1
            except httpx2.TransportError as error:
                self.outcomes[type(error).__name__] += 1


def test_F13_sigterm_under_load_fails_no_request(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url, SHUTDOWN_DRAIN_S="1.5", SHUTDOWN_GRACE_S="5")
    with ExitStack() as stack:
        one, two = (stack.enter_context(api_process(folder, env)) for _ in range(2))
        balancer = Balancer([one.url, two.url])
        load = threading.Thread(target=lambda: asyncio.run(balancer.run(users=50)))
        load.start()
        try:
            wait_until(lambda: balancer.outcomes["200"] > 300)
            one.process.terminate()
            wait_until(lambda: not balancer.ready[one.url])
            assert one.process.poll() is None, "unready before it stops"
            assert one.process.wait(15) in {0, -signal.SIGTERM}
            served = balancer.outcomes["200"]
            wait_until(lambda: balancer.outcomes["200"] > served + 200)
        finally:
            balancer.stopped = True
            load.join(30)
    assert set(balancer.outcomes) == {"200"}, balancer.outcomes


def test_F13_draining_process_says_so_and_is_cut_when_the_grace_is_over(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url, SHUTDOWN_DRAIN_S="1", SHUTDOWN_GRACE_S="1")
    with api_process(folder, env) as api:
        endless = threading.Thread(target=_ignore_failure, args=(api, "/test/slow?seconds=60"), daemon=True)
        endless.start()
        wait_until(lambda: "http_requests_active 1.0" in _metrics(api), what="the endless request running")
        api.process.terminate()
        wait_until(lambda: api.get("/health/ready").status_code == 503, within_s=0.9)
        response = api.get("/health/")
        assert response.json()["components"]["application"]["status"] == "degraded"
        assert response.headers["connection"] == "close"
        assert api.process.wait(10) is not None
        endless.join(10)


def _ignore_failure(api: ApiProcess, path: str) -> None:
    try:
        api.get(path, timeout_s=90)
    except httpx2.TransportError:
        return  # cut off, as it should be


def _metrics(api: ApiProcess) -> str:
    with api.client() as client:
        return client.get("/metrics").text


def test_F16_killed_api_worker_is_replaced(folder: Path, own_redis: OwnRedis) -> None:
    with api_process(folder, service_env(folder, own_redis.url), "--workers", "2") as api:
        started = "Application startup complete"
        wait_until(lambda: api.log.read_text().count(started) == 2, within_s=60, what="both processes started")
        workers = _api_workers(api)
        os.kill(workers.pop(), signal.SIGKILL)
        wait_until(lambda: len(_api_workers(api)) == 2 and _api_workers(api) != workers, within_s=2)
        wait_until(lambda: all(_answers(api) for _ in range(10)), what="every process answering")


def _api_workers(api: ApiProcess) -> set[int]:
    return {child.pid for child in psutil.Process(api.pid).children() if _is_api_worker(child)}


def _is_api_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False  # gone, or dead and not yet noticed by its parent


def _answers(api: ApiProcess) -> bool:
    try:
        return api.get("/health/ping").status_code == 200
    except httpx2.TransportError:
        return False


def test_F17_blocked_event_loop_shows_in_the_lag(api: ApiProcess) -> None:
    def slow_turns() -> float:
        text = _metrics(api)
        below = re.search(r'event_loop_lag_seconds_bucket\{le="0\.25"\} (\S+)', text)
        count = re.search(r"event_loop_lag_seconds_count (\S+)", text)
        assert below
        assert count
        return float(count[1]) - float(below[1])

    before = slow_turns()
    assert api.get("/test/block?seconds=0.4").status_code == 200
    wait_until(lambda: slow_turns() >= before + 1, within_s=5)


def test_F27_overload_is_refused_quickly_and_leaves_what_is_served_alone(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url, MAX_CONCURRENT_REQUESTS="10", MAX_QUEUED_REQUESTS="10")
    with api_process(folder, env) as api:
        peak = asyncio.run(goodput(api, callers=10, seconds=3.0))
        overloaded = asyncio.run(goodput(api, callers=50, seconds=5.0))
    assert set(overloaded.outcomes) == {200, 503}
    assert peak.outcomes[503] == 0
    assert overloaded.per_second >= 0.8 * peak.per_second
    assert overloaded.slowest_refusal_s < 1.0
    assert overloaded.median_refusal_s < 0.1
    assert overloaded.ping_statuses == {200}


class Goodput:
    def __init__(self) -> None:
        self.outcomes: Counter[int] = Counter()
        self.refusals_s: list[float] = []
        self.ping_statuses: set[int] = set()
        self.seconds = 0.0

    @property
    def per_second(self) -> float:
        return self.outcomes[200] / self.seconds

    @property
    def slowest_refusal_s(self) -> float:
        return max(self.refusals_s)

    @property
    def median_refusal_s(self) -> float:
        return sorted(self.refusals_s)[len(self.refusals_s) // 2]


async def goodput(api: ApiProcess, callers: int, seconds: float) -> Goodput:
    """What `callers` who all ask for 300 ms of service get; who is refused asks again when told to.

    Service that is waiting, not computing, so that the machine's other work does not decide the outcome.
    """
    seen = Goodput()
    limits = httpx2.Limits(max_connections=callers + 1)
    async with httpx2.AsyncClient(base_url=api.url, timeout=20, limits=limits, trust_env=False) as client:
        until_s = time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < until_s:
                start_s = time.monotonic()
                response = await client.get(f"{PREFIX}/test/slow?seconds=0.3")
                seen.outcomes[response.status_code] += 1
                if response.status_code == 503:
                    seen.refusals_s.append(time.monotonic() - start_s)
                    assert response.headers["retry-after"] == "1"
                    await asyncio.sleep(1)

        async def pinger() -> None:
            while time.monotonic() < until_s:
                seen.ping_statuses.add((await client.get(f"{PREFIX}/health/ping")).status_code)
                await asyncio.sleep(0.05)

        start_s = time.monotonic()
        await asyncio.gather(pinger(), *(caller() for _ in range(callers)))
        seen.seconds = time.monotonic() - start_s
    return seen
