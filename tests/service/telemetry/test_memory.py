"""The memory of a process and of Redis as metrics, and the collection before a reading."""

from __future__ import annotations

import ctypes
import gc
import weakref
from pathlib import Path

import pytest
from redis import Redis

from inference_core.core.settings import SettingsError
from inference_core.core.telemetry import runtime
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.telemetry.runtime import RuntimeMetrics, collect_memory, heap_use
from tests.service.conftest import AppFactory
from tests.service.telemetry.scrape import scrape
from tests.support.accounts import Api
from tests.support.processes import redis_server
from tests.support.settings import load_settings

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
HEAP = ("process_heap_in_use_bytes", "process_heap_held_bytes")
on_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the C library is not glibc")


def exposed(metrics: Metrics) -> str:
    return metrics.expose("")[0].decode()


def value(metrics: Metrics, name: str) -> float:
    (line,) = (line for line in exposed(metrics).splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def test_objects_of_python_are_allocated_blocks() -> None:
    metrics = Metrics()
    memory = RuntimeMetrics(metrics)
    memory.set_now()
    before = value(metrics, "python_allocated_blocks")
    kept = [object() for _ in range(100_000)]
    memory.set_now()
    assert value(metrics, "python_allocated_blocks") - before > 0.9 * len(kept)


@on_glibc
def test_memory_of_c_code_is_heap_in_use_and_held() -> None:
    metrics = Metrics()
    memory = RuntimeMetrics(metrics)
    memory.set_now()
    before = [value(metrics, name) for name in HEAP]
    kept = bytearray(64 * MIB)
    memory.set_now()
    in_use, held = (value(metrics, name) for name in HEAP)
    assert in_use - before[0] > 0.9 * len(kept)
    assert held >= in_use


def test_there_is_no_heap_metric_with_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_libc_function", lambda *_: None)
    metrics = Metrics()
    RuntimeMetrics(metrics).set_now()
    collect_memory()
    assert value(metrics, "python_allocated_blocks") > 0
    assert "process_heap" not in exposed(metrics)


def test_the_empty_heap_of_a_replaced_allocator_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_libc_function", lambda *_: runtime._Mallinfo2)
    assert heap_use() is None


def test_a_reading_that_takes_long_is_repeated_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, readings = [0.0], list[float]()

    def slow() -> int:
        readings.append(clock[0])
        clock[0] += 0.01
        return 1

    monkeypatch.setattr(runtime, "perf_counter", lambda: clock[0])
    monkeypatch.setattr("sys.getallocatedblocks", slow)
    memory = RuntimeMetrics(Metrics())
    for second in range(40):
        clock[0] = max(clock[0], second)
        memory.set()
    assert len(readings) == 4  # 10 ms every 10 s is a thousandth


class Ring:
    """An object that only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


async def test_collect_frees_garbage_before_the_reading(start_app: AppFactory) -> None:
    async with start_app(metrics_collect=True) as api:
        gc.disable()
        try:
            garbage = weakref.ref(Ring())
            for query in ("", "?collect", "?collect=", "?collect=0", "?collect=true", "?Collect=1", "?collect=11"):
                await scrape(api, query)
                assert garbage() is not None, query
            samples = await scrape(api, "?collect=1")
        finally:
            gc.enable()
        assert garbage() is None
        assert samples["python_allocated_blocks"] > 0


async def test_collect_has_no_effect_without_the_setting(api: Api) -> None:
    gc.disable()
    try:
        garbage = weakref.ref(Ring())
        assert (await scrape(api, "?collect=1"))["python_allocated_blocks"] > 0
        assert garbage() is not None
    finally:
        gc.enable()


async def test_collect_needs_the_token_of_the_metrics(start_app: AppFactory) -> None:
    async with start_app(metrics_collect=True, metrics_token="t0ken-of-the-scraper") as api:
        assert (await api.client.get("/metrics?collect=1")).status_code == 401


def test_collect_is_refused_in_production(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"ENVIRONMENT=production\nSECRET_KEY={'s' * 32}\nMETRICS_COLLECT=true")
    with pytest.raises(SettingsError, match="METRICS_COLLECT must be off in production"):
        load_settings(env_file)


async def test_memory_of_redis_is_what_redis_reports(api: Api) -> None:
    samples = await scrape(api)
    with Redis.from_url(api.settings.redis_url) as redis:
        info = redis.info("memory")
    assert samples['redis_memory_used_bytes{server="REDIS_URL"}'] == pytest.approx(info["used_memory"], rel=0.5)
    assert 'redis_memory_limit_bytes{server="REDIS_URL"}' not in samples


async def test_a_redis_with_a_limit_has_it_as_a_metric(start_app: AppFactory, tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", None, "--maxmemory", "64mb") as (url, _):
        async with start_app(redis_url=url) as api:
            samples = await scrape(api)
    assert samples['redis_memory_limit_bytes{server="REDIS_URL"}'] == 64 * MIB


async def test_a_gauge_that_fails_takes_no_other_metric_away(api: Api) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    api.state.gauges.insert(0, fail)
    assert (await scrape(api))["python_allocated_blocks"] > 0
