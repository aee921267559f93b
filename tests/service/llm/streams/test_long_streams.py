"""F25, F26: clients that disconnect, slow readers, silences, and many streams."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.service.llm.conftest import ServerFactory
from tests.support.accounts import PREFIX
from tests.support.llm import (
    EndlessProvider,
    LLMServer,
    kinds,
    limits_config,
    parse_events,
    replace_provider,
    tokens_of,
    until,
)

pytestmark = pytest.mark.anyio

QUESTION = {"question": "Tell me everything."}


async def connect(
    server: LLMServer, body: dict[str, Any], path: str, receive_buffer: int = 0, **headers: str
) -> socket.socket:
    """A raw connection that has sent a request, so that the test decides when it reads."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", server.port))
    content = json.dumps(body).encode()
    lines = [f"POST {PREFIX}/llm{path} HTTP/1.1", "Host: test", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode()
    await asyncio.get_running_loop().sock_sendall(raw, head + content)
    return raw


async def read_to_end(raw: socket.socket) -> bytes:
    """What comes until the last chunk of the answer."""
    body = b""
    while not body.endswith(b"\r\n0\r\n\r\n"):
        piece = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(raw, 1 << 20), 20)
        assert piece, "closed before the end"
        body += piece
    return body


async def test_F25_client_gone_mid_stream_stops_the_generation(start_server: ServerFactory) -> None:
    async with start_server(llm_simulator_speed="70b-h100") as server:
        body = {"user_input": "Tell me everything."}
        async with server.stream("/conversation/stream", body) as response:
            seen = ""
            async for chunk in response.aiter_text():
                seen += chunk
                if seen.count('"token"') >= 3:
                    break
            assert server.engine.running == 1
            assert await server.metric("llm_streams_active") == 1
        assert await until(lambda: server.engine.running == 0, within_s=5) < 1.0
        await until(lambda: not server.llm.streams.active, within_s=10)
        assert await server.metric("llm_streams_active") == 0
        session_id = parse_events(seen.partition("\n\n")[0] + "\n\n")[0]["session_id"]
        history = (await server.client.get(f"{PREFIX}/llm/sessions/{session_id}")).json()
        question, answer = history["turns"]
        assert (question["role"], question["content"], question["complete"]) == ("user", body["user_input"], True)
        assert (answer["role"], answer["complete"]) == ("assistant", False)
        assert answer["content"]


async def test_F25_client_gone_before_the_first_token_stops_the_generation(start_server: ServerFactory) -> None:
    async with start_server() as server:
        raw = await connect(server, QUESTION, "/explain/stream", **{"X-LLM-Fault": "slow_first_token:60"})
        await until(lambda: server.engine.running == 1, what="the request at the provider")
        raw.close()
        assert await until(lambda: server.engine.running == 0, within_s=5) < 1.0
        await until(lambda: not server.llm.streams.active, within_s=5)
        assert await server.metric("llm_streams_active") == 0


@pytest.mark.full
async def test_F26_slow_readers_hold_the_producer_back(start_server: ServerFactory, tmp_path: Path) -> None:
    async with start_server(llm_config_file=limits_config(tmp_path), max_concurrent_requests=5) as server:
        provider = EndlessProvider(tokens=10_000)
        replace_provider(server.state, provider)
        readers = [await connect(server, QUESTION, "/explain/stream", receive_buffer=4096) for _ in range(200)]
        streams = server.llm.streams
        try:
            await until(
                lambda: sum(stream.writing for stream in streams.active) == 200, within_s=60, what="all held back"
            )
            given = provider.given
            # What is on its way to 200 readers is a small part of their answers, and does not grow.
            assert given < 200 * provider.tokens / 4
            await asyncio.sleep(0.3)
            assert provider.given == given
            # The rest of one comes, without a gap, when it is read after all.
            body = await read_to_end(readers[0])
            assert body.count(b'"token"') == provider.tokens
            assert body.endswith(b'data: {"event":"end"}\n\n\r\n0\r\n\r\n')
        finally:
            for raw in readers:
                raw.close()
        await until(lambda: not streams.active and not provider.running, within_s=30, what="every stream ended")


async def test_F26_reader_that_stands_still_is_cut_off(start_server: ServerFactory, tmp_path: Path) -> None:
    async with start_server(llm_config_file=limits_config(tmp_path), llm_slow_reader_s=0.5) as server:
        provider = EndlessProvider()
        replace_provider(server.state, provider)
        raw = await connect(server, QUESTION, "/explain/stream", receive_buffer=4096)
        await until(lambda: provider.running == 1)
        await until(lambda: not server.llm.streams.active, within_s=10, what="the stream cut off")
        assert provider.running == 0
        with pytest.raises(AssertionError, match="closed before the end"):
            await read_to_end(raw)
        raw.close()
        assert 'llm_streams_interrupted_total{reason="stalled"} 1.0' in (await server.client.get("/metrics")).text


async def test_silence_is_pinged_and_no_token_is_lost(start_server: ServerFactory) -> None:
    async with start_server(llm_ping_s=0.2) as server:
        headers = {"X-LLM-Fault": "stall:1.5"}
        async with server.stream("/explain/stream", {"question": "Why?"}, **headers) as response:
            text = (await response.aread()).decode()
    assert ": ping\n\n" in text
    events = parse_events(text)
    assert kinds(events) == ["start", "token", "usage", "end"]
    assert events[-2]["usage"]["output_tokens"] == tokens_of(events)


async def test_streams_beyond_the_limit_of_the_process_are_refused(start_server: ServerFactory, tmp_path: Path) -> None:
    config = limits_config(tmp_path)
    config.write_text(config.read_text().replace("concurrent_streams: 0", "concurrent_streams: 1"))
    async with start_server(llm_config_file=config, llm_simulator_speed="70b-h100") as server:
        async with server.stream("/explain/stream", QUESTION) as response:
            assert response.status_code == 200
            refused = await server.client.post(f"{PREFIX}/llm/explain/stream", json=QUESTION)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"]
        await until(lambda: not server.llm.streams.active, within_s=10)
