"""F25 on uvloop: a connection that is cut at any time leaves no resources in use."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from inference_core.core.redis.client import open_client
from tests.service.conftest import AppFactory
from tests.service.llm.conftest import ServerFactory
from tests.support.accounts import PREFIX
from tests.support.llm import LLMServer, limits_config
from tests.support.settings import Settings

pytestmark = pytest.mark.anyio

CUTS = 240
AT_ONCE = 24
# The simulator's fast model gives its first token after about 20 ms: where most can go wrong.
LATEST_CUT_S = 0.06


# The loop that uvicorn chooses, and the one that it falls back to.
LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio", marks=pytest.mark.full),
]


async def cut(server: LLMServer, path: str, body: dict[str, Any], after_s: float, *, reset: bool) -> None:
    """Send a request, read what comes, and close the connection after a while: politely or with a reset."""
    raw = socket.socket()
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", server.port))
    content = json.dumps(body).encode()
    head = f"POST {PREFIX}/llm{path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    await loop.sock_sendall(raw, f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await asyncio.sleep(after_s)
    if reset:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


async def leases(redis_url: str) -> int:
    """The requests that count as being served, of all callers."""
    async with open_client(Settings(_env_file=None), redis_url) as redis:
        return sum([await redis.zcard(key) async for key in redis.scan_iter("llm:leases:*")])


@pytest.mark.parametrize("anyio_backend", LOOPS)
async def test_F25_connections_cut_at_any_moment_leave_nothing(
    start_server: ServerFactory, tmp_path: Path, redis_url: str
) -> None:
    chance = random.Random(7)
    config = limits_config(tmp_path)
    config.write_text(config.read_text().replace("concurrent_streams: 0", "concurrent_streams: 100"))
    loop_errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    async with start_server(llm_config_file=config, llm_simulator_speed="fast") as server:
        for _ in range(CUTS // AT_ONCE):
            await asyncio.gather(
                *(
                    cut(
                        server,
                        *chance.choice(
                            (
                                ("/explain/stream", {"question": "Why?"}),
                                ("/conversation/stream", {"user_input": "Why?"}),
                            )
                        ),
                        chance.uniform(0, LATEST_CUT_S),
                        reset=chance.random() < 0.5,
                    )
                    for _ in range(AT_ONCE)
                )
            )

        def at_rest() -> bool:
            return not (server.llm.streams.active or server.engine.running or server.state.traffic.active)

        # The server may read what the last clients sent only after they have gone, and gives leases back at the end.
        async with asyncio.timeout(30):
            while not at_rest() or await leases(redis_url):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await server.metric("llm_streams_active") == 0
        assert [context.get("message") for context in loop_errors] == []


class Connection:
    """A server's side of a connection: its transport fails as uvloop's does once the connection is closed."""

    def __init__(self, body: bytes, *, fails_at: int) -> None:
        self.transport = self
        self.fails_at = fails_at  # the number of the message that finds the connection closed; -1 for none ever
        self.messages = [{"type": "http.request", "body": body, "more_body": False}]
        self.sent = 0

    def is_closing(self) -> bool:
        return 0 <= self.fails_at <= self.sent

    def check(self) -> None:
        if self.is_closing():
            raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def set_write_buffer_limits(self, high: int) -> None:
        self.check()

    def get_extra_info(self, name: str) -> None:
        self.check()

    def abort(self) -> None:
        self.check()

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop()
        await asyncio.Event().wait()  # nobody tells the request that its connection has ended
        raise AssertionError("unreachable")

    async def send(self, message: dict[str, Any]) -> None:
        self.check()
        self.sent += 1


async def test_F25_connection_that_fails_at_any_write_leaves_nothing(
    start_app: AppFactory, tmp_path: Path, redis_url: str
) -> None:
    body = json.dumps({"user_input": "Why?", "max_tokens": 3}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    common: dict[str, Any] = {"type": "http", "http_version": "1.1", "scheme": "http", "asgi": {"version": "3.0"}}
    common |= {"method": "POST", "path": f"{PREFIX}/llm/conversation/stream", "query_string": b"", "root_path": ""}
    common |= {"client": ("127.0.0.1", 1), "server": ("test", 80)}
    async with start_app(llm_config_file=limits_config(tmp_path)) as api:
        # The start of the answer, its seven events, the end of the body; and one that does not fail.
        for fails_at in (*range(8), -1):
            connection = Connection(body, fails_at=fails_at)
            async with asyncio.timeout(10):
                await api.app(common | {"headers": list(headers)}, connection.receive, connection.send)
            assert connection.sent == (fails_at if fails_at >= 0 else 8)
            assert not api.llm.streams.active
            assert await leases(redis_url) == 0
        metrics = (await api.client.get("/metrics")).text
        assert "llm_streams_active 0.0" in metrics
        assert 'llm_streams_interrupted_total{reason="gone"} 8.0' in metrics
        assert await api.state.redis.client.hget("llm:stats", "requests_count") == b"9"
