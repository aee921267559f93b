"""F01-F06: Redis away, silent, emptied, full. Accounts say so at once; everything that can go on does."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from redis import Redis

from tests.service.faults.conftest import OwnRedis
from tests.support.bounds import TRIES, quick, shows
from tests.support.processes import keys_of_service, redis_server, wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env

pytestmark = pytest.mark.full


@pytest.fixture
def api(tmp_path: Path, own_redis: OwnRedis) -> Iterator[ApiProcess]:
    folder = tmp_path / "service"
    with api_process(folder, service_env(folder, own_redis.url)) as api:
        yield api


class Person:
    """Somebody with an account."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.name = f"u{uuid4().hex[:12]}"
        body = {"username": self.name, "email": f"{self.name}@example.com", "password": "correct horse 7"}
        assert self.post("/register", body).status_code == 201

    def post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return self.client.post(f"{PREFIX}/auth{path}", json=body)

    def login(self) -> httpx2.Response:
        return self.post("/login", {"username": self.name, "password": "correct horse 7"})

    def refresh(self, token: str) -> httpx2.Response:
        return self.post("/refresh", {"refresh_token": token})


@contextmanager
def person(api: ApiProcess) -> Iterator[Person]:
    with api.client() as client:
        yield Person(client)


def is_unavailable(response: httpx2.Response) -> None:
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1


def refused(call: Callable[[], httpx2.Response], *, within_s: float) -> None:
    quick(call, within_s=within_s, check=is_unavailable)


def p99_s(call: Callable[[], httpx2.Response]) -> float:
    took_s = []
    for _ in range(200):
        start_s = time.monotonic()
        assert call().status_code == 200
        took_s.append(time.monotonic() - start_s)
    return statistics.quantiles(took_s, n=100)[98]


def test_F01_F02_without_redis_login_and_refresh_are_503_and_the_session_survives(
    api: ApiProcess, own_redis: OwnRedis
) -> None:
    with person(api) as user:
        token = user.login().json()["refresh_token"]
        with Redis.from_url(own_redis.url) as redis:
            redis.save()
        own_redis.stop()
        refused(user.login, within_s=1.0)
        refused(lambda: user.refresh(token), within_s=1.0)
        with redis_server(own_redis.folder, own_redis.port):
            wait_until(lambda: user.refresh(token).status_code == 200)


def test_F03_silent_redis_costs_bounded_time_and_ping_none(api: ApiProcess, own_redis: OwnRedis) -> None:
    with person(api) as user:
        token = user.login().json()["refresh_token"]
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            refused(user.login, within_s=2.0)
            refused(lambda: user.refresh(token), within_s=2.0)
            pings_s = [p99_s(lambda: user.client.get(f"{PREFIX}/health/ping"))]
            while pings_s[-1] >= 0.05 and len(pings_s) < TRIES:
                pings_s.append(p99_s(lambda: user.client.get(f"{PREFIX}/health/ping")))
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
        assert pings_s[-1] < 0.05, pings_s
        wait_until(lambda: user.login().status_code == 200)


def test_F04_restarted_redis_is_found_and_only_lost_sessions_are_lost(api: ApiProcess, own_redis: OwnRedis) -> None:
    with person(api) as user:
        lost = user.login().json()["refresh_token"]
        own_redis.stop()
        for dump in own_redis.folder.glob("*.rdb"):
            dump.unlink()
        with redis_server(own_redis.folder, own_redis.port):
            wait_until(lambda: user.login().status_code == 200, within_s=2)
            assert user.refresh(lost).status_code == 401
            for _ in range(20):
                fresh = user.login()
                assert fresh.status_code == 200
                assert user.refresh(fresh.json()["refresh_token"]).status_code == 200


def test_F05_full_redis_refuses_writes_and_evicts_nothing(api: ApiProcess, own_redis: OwnRedis) -> None:
    body = {"task": "test.add", "args": [1, 2]}
    with person(api) as user, Redis.from_url(own_redis.url) as redis:
        assert user.client.post(f"{PREFIX}/test/submit", json=body).status_code == 202
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", "1")
        refused(user.login, within_s=2.0)
        refused(lambda: user.client.post(f"{PREFIX}/test/submit", json=body), within_s=2.0)
        assert keys_of_service(own_redis.url).llen("default") == 1
        assert redis.info("stats")["evicted_keys"] == 0
        counted = 'http_request_duration_seconds_count{method="POST",route="/api/v1/auth/login",status="503"}'
        assert counted in user.client.get("/metrics").text
        redis.config_set("maxmemory", "0")
        assert user.login().status_code == 200


def test_F06_without_redis_the_service_is_degraded_ready_and_quick(api: ApiProcess, own_redis: OwnRedis) -> None:
    assert api.get("/health/").json()["components"]["redis"]["status"] == "healthy"

    def state() -> str:
        return str(api.get("/health/").json()["components"]["redis"]["status"])

    def start_again() -> None:
        own_redis.process = stack.enter_context(redis_server(own_redis.folder, own_redis.port))[1]
        wait_until(lambda: state() == "healthy")

    with ExitStack() as stack:
        shows(lambda: state() == "unhealthy", within_s=1.0, after=own_redis.stop, undo=start_again)

    def is_degraded(response: httpx2.Response) -> None:
        assert (response.status_code, response.json()["status"]) == (200, "degraded")

    quick(lambda: api.get("/health/"), within_s=1.0, check=is_degraded)
    assert api.get("/health/ready").status_code == 200
    assert api.get("/health/ping").json()["message"] == "pong"
    wait_until(lambda: 'dependency_up{dependency="redis"} 0.0' in metrics(api))


def metrics(api: ApiProcess) -> str:
    with api.client() as client:
        return client.get("/metrics").text
