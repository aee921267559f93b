"""F14, F24, F25, F26: streams and the provider behind them, when one of the two ends fails or the process stops."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.service.conftest import sqlite_threads_end
from tests.service.faults.conftest import OwnRedis
from tests.support.llm import LLMServer, config_file, kinds, llm_server, parse_events, text_of, until
from tests.support.llm_upstream import Behaviour, Upstream, upstream
from tests.support.processes import wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env
from tests.support.settings import Settings

CONFIG = """
providers:
  near: {{base_url: "http://127.0.0.1:{port}/v1", openai_compatible: true, simulator: true}}
models:
  small: {{provider: near, price: {{input_per_million_usd: 1, output_per_million_usd: 1}}}}
tasks:
  explain: {{primary: small}}
  conversation: {{primary: small}}
settings:
  timeouts: {{connect_s: 1, first_token_s: {first_token_s}, between_tokens_s: 0.5, total_s: 20}}
  breaker: {{failures: 4, open_s: 30}}
  limits: {{requests_per_minute: 0, concurrent_requests: 0, tokens_per_day: 0}}
"""
BODY = {"question": "Why?"}


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(
        _env_file=None,
        environment="testing",
        redis_url=redis_url,
        database_url=f"sqlite:///{tmp_path / 'service.db'}",
        llm_config_file=tmp_path / "llm_config.yaml",
    )


@asynccontextmanager
async def behind(up: Upstream, settings: Settings, *, first_token_s: float = 0.5) -> AsyncIterator[LLMServer]:
    """The service in front of a provider."""
    config_file(settings.llm_config_file.parent, CONFIG.format(port=up.port, first_token_s=first_token_s))
    async with llm_server(settings) as server:
        yield server
    await sqlite_threads_end()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("behaviour", "status", "code", "asked"),
    [
        ("slow_first", 504, "llm_timeout", 1),
        ("rate_limited", 429, "llm_rate_limited", 1),
        ("server_error", 502, "llm_upstream_failed", 2),
    ],
)
async def test_F24_provider_that_fails_before_the_first_token(
    settings: Settings, behaviour: Behaviour, status: int, code: str, asked: int
) -> None:
    async with upstream() as up, behind(up, settings) as server:
        up.behaviour = behaviour
        response = await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"
        assert "secret upstream text" not in response.text
        assert up.requests == asked, "retried once at most, and only where that helps"
        if status == 429:
            assert response.headers["retry-after"] == "9"


@pytest.mark.anyio
async def test_F24_provider_that_is_not_there(settings: Settings) -> None:
    async with behind(Upstream(port=9), settings) as server:
        response = await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)
        assert (response.status_code, response.json()["code"]) == (503, "llm_upstream_unavailable")
        assert response.headers["retry-after"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("behaviour", "code"),
    [("reset", "llm_upstream_failed"), ("malformed", "llm_upstream_failed"), ("slow_drip", "llm_timeout")],
)
async def test_F24_provider_that_fails_later(settings: Settings, behaviour: Behaviour, code: str) -> None:
    async with upstream() as up, behind(up, settings) as server:
        up.behaviour = behaviour
        response = await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)
        events = parse_events(response.text)
        assert response.status_code == 200
        assert kinds(events) == ["start", "token", "error", "end"]
        assert events[-2]["code"] == code
        assert text_of(events) in {"t0 ", "t0 t1 "}
        assert up.requests == 1, "never asked again once a token was sent"


@pytest.mark.anyio
async def test_F24_provider_that_thinks_is_waited_for_and_its_client_is_pinged(settings: Settings) -> None:
    """Longer than the first token may take, five times over: none of it is a failure."""
    settings = settings.model_copy(update={"llm_ping_s": 0.3})
    async with upstream() as up, behind(up, settings, first_token_s=1.2) as server:
        up.behaviour = "thinks"
        asking = [
            server.client.post(f"{PREFIX}/llm/conversation/stream", json={"user_input": "Why?"}) for _ in range(5)
        ]
        for response in await asyncio.gather(*asking):
            assert response.status_code == 200
            assert response.text.startswith(": ping\n\n: ping\n\n")
            assert response.text.index(": ping") < response.text.index('"start"')
            events = parse_events(response.text)
            assert kinds(events) == ["start", "token", "usage", "end"]
            assert text_of(events) == "t0 t1 t2 t3 t4 "
        assert up.requests == 5
        assert server.llm.gateway.breakers["near"].failures == 0


@pytest.mark.anyio
async def test_F24_provider_that_fails_after_a_ping_is_an_error_event(settings: Settings) -> None:
    settings = settings.model_copy(update={"llm_ping_s": 0.2})
    async with upstream() as up, behind(up, settings, first_token_s=1.0) as server:
        up.behaviour = "slow_first"
        response = await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.text.startswith(": ping\n\n")
        events = parse_events(response.text)
        assert kinds(events) == ["error", "end"]
        assert events[0]["code"] == "llm_timeout"
        await until(lambda: not server.llm.streams.active and not up.connections)
        assert (await server.client.get(f"{PREFIX}/llm/stats")).json()["stats"]["errors_count"] >= 1


@pytest.mark.anyio
async def test_F25_client_gone_while_it_is_pinged_ends_the_call_to_the_provider(settings: Settings) -> None:
    settings = settings.model_copy(update={"llm_ping_s": 0.2})
    async with upstream() as up, behind(up, settings, first_token_s=60) as server:
        up.behaviour = "slow_first"
        raw = await post(server.port, f"{PREFIX}/llm/explain/stream", BODY)
        async with asyncio.timeout(20):
            while b": ping" not in await asyncio.get_running_loop().sock_recv(raw, 4096):
                pass
        raw.close()
        assert await until(lambda: not up.connections, within_s=10) < 1.0
        await until(lambda: not server.llm.streams.active)


@pytest.mark.anyio
async def test_F24_provider_that_fails_again_and_again_is_left_alone(settings: Settings) -> None:
    async with upstream() as up, behind(up, settings) as server:
        up.behaviour = "server_error"
        codes = [(await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)).json()["code"] for _ in range(5)]
        assert codes == ["llm_upstream_failed"] * 2 + ["llm_circuit_open"] * 3
        assert up.requests == 4


@pytest.mark.anyio
async def test_F24_provider_that_works_is_passed_on_token_by_token(settings: Settings) -> None:
    async with upstream() as up, behind(up, settings) as server:
        response = await server.client.post(f"{PREFIX}/llm/explain/stream", json=BODY)
        events = parse_events(response.text)
        assert text_of(events) == "t0 t1 t2 t3 t4 "
        assert events[-2]["usage"] == {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}


@pytest.mark.anyio
@pytest.mark.parametrize("behaviour", ["slow_first", "endless"])
async def test_F25_client_gone_ends_the_call_to_the_provider(settings: Settings, behaviour: Behaviour) -> None:
    async with upstream() as up, behind(up, settings, first_token_s=60) as server:
        up.behaviour = behaviour
        raw = await post(server.port, f"{PREFIX}/llm/explain/stream", BODY)
        await until(lambda: up.requests == 1, what="the provider asked")
        if behaviour == "endless":
            await asyncio.get_running_loop().sock_recv(raw, 100)
        raw.close()
        assert await until(lambda: not up.connections, within_s=10) < 1.0
        await until(lambda: not server.llm.streams.active)
        assert await server.metric("llm_streams_active") == 0


async def post(port: int, path: str, body: dict[str, Any]) -> socket.socket:
    """A connection that has asked and not read."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    await loop.sock_sendall(raw, head.encode() + content)
    return raw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"


def read_stream(api: ApiProcess, body: dict[str, Any], headers: dict[str, str], found: list[str]) -> None:
    """The text of a whole answer, or what is wrong with it."""
    try:
        with api.client(60) as client:
            found.append(client.post(f"{PREFIX}/llm/conversation/stream", json=body, headers=headers).text)
    except httpx2.TransportError as error:
        found.append(repr(error))


def streams_active(api: ApiProcess) -> float:
    with api.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("llm_streams_active "))


@pytest.mark.full
def test_F14_streams_at_a_shutdown_finish_or_say_why_not(folder: Path, own_redis: OwnRedis) -> None:
    env = service_env(folder, own_redis.url, SHUTDOWN_GRACE_S="4", LLM_SIMULATOR_SPEED="fast")
    # One that ends by itself within the grace, and three that do not: one of them before its first token.
    faults = ("stall:1", "stall:60", "slow_drip:1", "slow_first_token:60")
    with api_process(folder, env) as api:
        found: list[list[str]] = [[] for _ in faults]
        threads = [
            threading.Thread(
                target=read_stream, args=(api, {"user_input": f"Why {fault}?"}, {"X-LLM-Fault": fault}, out)
            )
            for fault, out in zip(faults, found, strict=True)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: streams_active(api) == 4, what="four streams")
        start_s = time.monotonic()
        api.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(30)
        assert api.process.wait(20) == 0
        assert time.monotonic() - start_s < 15
    finished, *cut, refused = (one for (one,) in found)
    assert kinds(parse_events(finished)) == ["start", "token", "usage", "end"]
    for text in cut:
        events = parse_events(text)
        assert kinds(events) == ["start", "token", "error", "end"]
        assert events[-2]["code"] == "shutting_down"
    assert (json.loads(refused)["status"], json.loads(refused)["code"]) == (503, "shutting_down")


@pytest.mark.full
def test_F26_slow_readers_do_not_grow_the_memory_of_the_process(folder: Path, own_redis: OwnRedis) -> None:
    config = folder.parent / "llm_config.yaml"
    config.write_text(
        CONFIG.format(port=9, first_token_s=5).replace(
            'base_url: "http://127.0.0.1:9/v1", openai_compatible: true, simulator: true', "kind: simulated"
        )
    )
    env = service_env(folder, own_redis.url, LLM_CONFIG_FILE=str(config), LLM_SIMULATOR_SPEED="instant")
    with api_process(folder, env) as api:
        process = psutil.Process(api.pid)
        with api.client(60) as client:
            for _ in range(20):
                assert client.post(f"{PREFIX}/llm/explain/stream", json=BODY).status_code == 200
        before = process.memory_info().rss
        asyncio.run(slow_readers(api, count=200))
        grown = process.memory_info().rss - before
        assert grown < 200 * 200 * 1024, f"{grown / 2**20:.1f} MiB for 200 slow readers"
        wait_until(lambda: streams_active(api) == 0, what="no stream left")


async def slow_readers(api: ApiProcess, count: int) -> None:
    """Readers of one byte a second, for three seconds; then one of them reads on to the end."""
    port = int(api.url.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    readers = [await post(port, f"{PREFIX}/llm/explain/stream", BODY) for _ in range(count)]
    try:
        got = [b""] * count
        for _ in range(3):
            for number, raw in enumerate(readers):
                got[number] += await loop.sock_recv(raw, 1)
            await asyncio.sleep(1)
        assert set(got) == {b"HTT"}
        body = got[0]
        while not body.endswith(b"\r\n0\r\n\r\n"):
            piece = await asyncio.wait_for(loop.sock_recv(readers[0], 1 << 16), 20)
            assert piece
            body += piece
        assert b'"event":"end"' in body
    finally:
        for raw in readers:
            raw.close()
