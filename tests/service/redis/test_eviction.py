"""A Redis that may evict keys would lose sessions, tasks and results: the service says so at the start and later on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from inference_core.core.redis import eviction
from inference_core.core.redis.client import open_client
from inference_core.core.redis.eviction import (
    EvictionWatch,
    eviction_warning,
    named_servers,
    policy_in,
    warn_of_eviction,
)
from loadgate.checks import HttpCheck
from tests.support.logs import log_lines_of
from tests.support.processes import redis_server, stop
from tests.support.service import ROOT, api_process, service_env, worker_process
from tests.support.settings import Settings

FORBIDDEN = ("--rename-command", "CONFIG", "")


@pytest.fixture(params=["managed", "own"])
def evicting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis with the policy `allkeys-lru`; a managed one forbids CONFIG."""
    forbidden = FORBIDDEN if request.param == "managed" else ()
    with redis_server(tmp_path / "redis", None, "--maxmemory-policy", "allkeys-lru", *forbidden) as (url, _):
        if forbidden:
            with Redis.from_url(url) as redis, pytest.raises(ResponseError):
                redis.config_get("maxmemory-policy")
        yield url


@pytest.mark.full
def test_api_and_worker_warn_once_at_the_start_and_health_says_it(evicting: str, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    env = service_env(folder, evicting)
    with api_process(folder, env) as api, worker_process(folder, env, concurrency=1) as worker:
        response = api.get("/health/")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        part = response.json()["components"]["redis"]
        assert part.keys() == {"status", "checked_at", "message"}
        assert part["status"] == "degraded"
        assert "REDIS_URL: allkeys-lru" in part["message"]
        assert "maxmemory-policy to noeviction" in part["message"]
        assert api.get("/health/ready").status_code == 200
        doctor = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["loadgate"]["doctor"]
        (entry,) = [entry for entry in doctor if entry["name"] == "Redis"]
        told = HttpCheck("Redis", entry["where"], expect=entry["expect"], start=entry["start"]).run(api.url)
        assert not told.ok
        assert "degraded" in told.detail
        assert "maxmemory-policy noeviction" in told.start
        for process in (api, worker):
            assert process.log.read_text().count("Redis may evict keys") == 1


@pytest.mark.anyio
async def test_a_policy_that_is_changed_shows_at_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = log_lines_of(eviction, monkeypatch)
    with redis_server(tmp_path / "sessions") as (first, _), redis_server(tmp_path / "broker") as (second, process):
        settings = Settings(_env_file=None, redis_url=first, celery_broker_url=second)
        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(open_client(settings, first))
            watch = await stack.enter_async_context(EvictionWatch.open(settings, redis))
            with Redis.from_url(second) as admin:
                await watch.poll()
                assert watch.warning is None
                admin.config_set("maxmemory-policy", "volatile-ttl")
                for _ in range(3):
                    await watch.poll()
                assert watch.warning is not None
                assert "(CELERY_BROKER_URL: volatile-ttl)" in watch.warning
                assert [line["event"] for line in logs if line["level"] == "warning"] == [watch.warning]
                admin.config_set("maxmemory-policy", "noeviction")
                await watch.poll()
                assert watch.warning is None
                admin.config_set("maxmemory-policy", "allkeys-random")
                await watch.poll()
                stop(process)
                await watch.poll()
                assert watch.warning is not None, "a server that is away keeps its last known policy"


@pytest.mark.parametrize(
    ("info", "warns"),
    [
        ({"maxmemory_policy": "noeviction"}, False),
        ({}, False),
        *(
            ({"maxmemory_policy": f"{keys}-{order}"}, True)
            for keys in ("allkeys", "volatile")
            for order in ("lru", "lfu", "random")
        ),
    ],
)
def test_every_other_policy_warns(info: dict[str, str], warns: bool) -> None:
    assert (eviction_warning({"REDIS_URL": policy_in(info)}) is not None) is warns


def test_one_server_named_three_times_is_told_once() -> None:
    one = Settings(_env_file=None, redis_url="redis://a/0")
    assert named_servers(one) == {"REDIS_URL": one.redis_url}
    three = Settings(
        _env_file=None, redis_url="redis://a/0", celery_broker_url="redis://b/0", celery_result_backend="redis://c/0"
    )
    assert list(named_servers(three)) == ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"]


def test_a_server_that_is_away_or_forbids_info_ends_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = log_lines_of(eviction, monkeypatch)
    with redis_server(tmp_path / "redis", None, "--rename-command", "INFO", "") as (url, process):
        for count in (1, 2):
            warn_of_eviction(Settings(_env_file=None, redis_url=url))
            assert [line["event"] for line in logs] == ["eviction_policy_unknown"] * count
            stop(process)
