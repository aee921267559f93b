"""Connections to a server in the test's own process: what it takes of a head, how long it waits, how it parses."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from inference_core.app.edge import connections
from inference_core.app.edge.connections import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_TARGET_BYTES,
    PIECE_BYTES,
    Connections,
    GuardedProtocol,
)
from inference_core.app.stack.ports import LOOPBACK
from inference_core.core.addresses import TrustedProxies

pytestmark = pytest.mark.anyio

ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Door:
    """A listening server; `bodies` and `heads` are what its application read."""

    guard: Connections
    state: ServerState
    port: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)
    heads: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    answer: Callable[[], Awaitable[None]] | None = None
    said: bytes = b"ok"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(LOOPBACK, self.port, limit=1 << 24)

    async def said_to(self, data: bytes, *, piece: int = 1 << 24, answers: int = 1) -> bytes:
        """What is said to `data` until the server closes the connection, or has given its answers."""
        reader, writer = await self.connect()
        said = b""
        try:
            for start in range(0, len(data), piece):
                writer.write(data[start : start + piece])
                await writer.drain()
            async with asyncio.timeout(10):
                while said.count(b"\r\n\r\nok") < answers and (more := await reader.read(1 << 16)):
                    said += more
        except ConnectionError:
            pass  # it was closed while more was on its way
        finally:
            writer.transport.abort()
        return said

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        self.heads.append(list(scope["headers"]))
        if self.answer is not None:
            await self.answer()
        length = b"%d" % len(self.said)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self.said})


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@asynccontextmanager
async def opened(max_per_address: int = 0, proxies: tuple[str, ...] = ()) -> AsyncIterator[Door]:
    refused: Counter[int] = Counter()

    def count_refused(status: HTTPStatus) -> None:
        refused[status] += 1

    guard = Connections(count_refused, max_per_address, TrustedProxies.parse(proxies))
    state = ServerState()
    door = Door(guard, state, refused=refused)
    config = Config(door.app, log_config=None, access_log=False, interface="asgi3")
    config.load()
    protocol = partial(GuardedProtocol, guard, config=config, server_state=state, app_state={})
    server = await asyncio.get_running_loop().create_server(protocol, LOOPBACK, 0)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        async with asyncio.timeout(10):
            while state.connections or state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert not guard.waiting
        assert not guard.unread.held
        assert not guard.per_address


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (ASKED + b"a: b\r\n" * (MAX_HEADERS - 1) + b"\r\n", 200),
        (ASKED + b"a: b\r\n" * MAX_HEADERS + b"\r\n", 431),
        (ASKED + b"a: b\r\n" * 300_000, 431),
        (ASKED + b"a: " + b"b" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n", 200),
        (ASKED + b"a: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (ASKED + b"a: " + b"b" * 3_000_000, 431),
        (ASKED + b"b" * 3_000_000, 431),
        (ASKED + b"a:" + b" " * 3_000_000, 431),
        (b"GET /" + b"a" * (MAX_TARGET_BYTES - 1) + b" HTTP/1.1\r\n\r\n", 200),
        (b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /?" + b"a" * 3_000_000, 431),
        (b"\r\n" * 300_000, 431),
        (CHUNKED + b"0\r\n" + b"a: b\r\n" * 300_000, 431),
        (CHUNKED + b"0\r\na: " + b"b" * 3_000_000, 431),
        (CHUNKED + b"1;" + b"e" * 3_000_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET http://[::1 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (ASKED + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (ASKED + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (CHUNKED + b"fffffffffffffffffff\r\n", 400),
        (ASKED + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip\r\n\r\nx", 400),
    ],
)
async def test_a_head_is_bounded_whatever_it_grows_in(head: bytes, status: int) -> None:
    for size in (PIECE_BYTES - 1, 1 << 24):
        async with opened() as door:
            answer = await door.said_to(head, piece=size)
            # The end of a long head meets a connection that is closed: the client may learn that, and not why.
            assert status_of(answer) in ({status, 0} if len(head) > 2 * MAX_HEAD_BYTES else {status}), answer
            assert door.refused == ({status: 1} if status != 200 else {})
            assert len(answer) < 1000
            if status_of(answer) not in {0, 200}:
                assert b"application/problem+json" in answer
                assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"", b""), (ASKED, b"x"), (b"\r\n", b"\r\n"), (ASKED + b"\r\n" + ASKED, b"x"), (b"GET /", b"x"), (b"G", b"")],
    ids=["silent", "head", "newlines", "second head", "target", "method"],
)
async def test_a_connection_is_not_waited_for_longer_than_a_head_may_take(
    start: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.3)
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(start)
        async with asyncio.timeout(10):
            # Bytes that lead nowhere buy no time.
            while not reader.at_eof() and not writer.is_closing():
                await door.guard.sweep()
                with suppress(ConnectionError):
                    writer.write(more)
                    await writer.drain()
                with suppress(TimeoutError, ConnectionError):
                    await asyncio.wait_for(reader.read(1000), 0.05)
        writer.close()
        assert door.refused == ({408: 1} if start else {})


async def test_a_connection_that_is_kept_alive_or_waits_for_its_answer_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.0)
    go_on = asyncio.Event()
    async with opened() as door:
        kept, writer = await door.connect()
        writer.write(ASKED + b"\r\n")
        assert (await kept.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        door.answer = lambda: _until(go_on)
        busy, other = await door.connect()
        # The head of the next request begins before this one is answered.
        other.write(ASKED + b"\r\n")
        await _until_true(lambda: len(door.bodies) == 2)
        other.write(ASKED)
        await _until_true(lambda: len(door.guard.waiting) == 1)
        await door.guard.sweep()
        go_on.set()
        assert (await busy.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        writer.write(ASKED + b"\r\n")
        assert (await kept.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        writer.close()
        other.close()


async def test_pipelined_requests_are_all_answered_in_order_and_few_are_parsed_ahead() -> None:
    count = 3000
    go_on = asyncio.Event()
    async with opened() as door:
        door.answer = lambda: _until(go_on)
        reader, writer = await door.connect()
        for number in range(count):
            writer.write(b"GET / HTTP/1.1\r\nNumber: %d\r\n\r\n" % number)
        await _until_true(lambda: len(door.bodies) == 1)
        connection: Any = next(iter(door.state.connections))
        assert len(connection.pipeline) < count / 5
        go_on.set()
        async with asyncio.timeout(30):
            for _ in range(count):
                assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
        assert [int(dict(head)[b"number"]) for head in door.heads] == list(range(count))
        writer.close()


@pytest.mark.parametrize("chunk", [1, 7, 5000, 300_000])
async def test_a_body_comes_through_whole_however_it_is_cut(chunk: int) -> None:
    body = bytes(range(256)) * 1200
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    sent = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nx-trailer: 1\r\n\r\n"
    async with opened() as door:
        assert status_of(await door.said_to(sent)) == 200
        assert status_of(await door.said_to(ASKED + b"Content-Length: %d\r\n\r\n" % len(body) + body)) == 200
        assert door.bodies == [body, body]
        assert all(b"x-trailer" not in dict(head) for head in door.heads)


async def test_one_turn_of_the_loop_parses_little_of_what_one_connection_sends() -> None:
    turns: list[int] = []
    async with opened() as door:
        parse = GuardedProtocol.parse_backlog

        def counted(connection: GuardedProtocol) -> None:
            before = len(connection.backlog)
            parse(connection)
            turns.append(before - len(connection.backlog))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(GuardedProtocol, "parse_backlog", counted)
            sent = CHUNKED + b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n"
            assert status_of(await door.said_to(sent)) == 200
    assert sum(turns) > 1_000_000
    assert max(turns) <= connections.TURN_BYTES


async def test_whoever_makes_an_answer_is_told_that_its_connection_is_gone_though_others_wait_behind_it() -> None:
    told = asyncio.Event()
    async with opened() as door:
        connection: Any = None

        async def watched() -> None:
            nonlocal connection
            connection = next(iter(door.state.connections))
            if (await connection.running.receive())["type"] == "http.disconnect":
                told.set()

        door.answer = watched
        _, writer = await door.connect()
        writer.write((ASKED + b"\r\n") * 2)
        await _until_true(lambda: connection is not None and len(connection.pipeline) == 1)
        connection.transport.abort()
        await asyncio.wait_for(told.wait(), 5)
        writer.close()


@pytest.mark.parametrize("piece", [1, 50, 1 << 24])
@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
async def test_a_request_for_another_protocol_keeps_its_body_and_those_behind_it(protocol: bytes, piece: int) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
    first = b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + upgrade + b"\r\none"
    second = b"POST /2 HTTP/1.1\r\nHost: x\r\n" + upgrade + b"Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
    third = b"GET /3 HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n"
    fourth = b"POST /4 HTTP/1.1\r\nHost: x\r\nNumber: 4\r\nContent-Length: 4\r\n\r\nfour"
    async with opened() as door:
        said = await door.said_to(first + second + third + fourth, piece=piece, answers=4)
        assert said.count(b"HTTP/1.1 200 OK") == 4, said
        assert door.bodies == [b"one", b"two", b"", b"four"]
        assert dict(door.heads[3]) == {b"host": b"x", b"number": b"4", b"content-length": b"4"}
        assert not door.refused


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize(
    "rest",
    [b"", b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n", b"a: " + b"b" * 30_000 + b"\r\n"],
    ids=["whole", "length", "chunked", "long head"],
)
async def test_a_request_for_another_protocol_is_served_as_any_and_leaves_no_connection_behind(
    protocol: bytes, rest: bytes
) -> None:
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    head = ASKED + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n" + key + rest + b"\r\n"
    async with opened() as door:
        _, writer = await door.connect()
        writer.write(head)
        # Its body is the application's to wait for, which it does for no longer than for any other's.
        await _until_true(lambda: any(one.running for one in cast("set[GuardedProtocol]", door.state.connections)))
        assert len(door.state.connections) == 1
        writer.close()
        await _until_true(lambda: not door.state.connections)


@pytest.mark.parametrize(
    ("descriptors", "most"), [(1024, 960), (256, 192), (16, 12), (1_048_576, 1_048_512), (resource.RLIM_INFINITY, None)]
)
def test_some_descriptors_are_kept_for_what_is_no_connection(descriptors: int, most: int | None) -> None:
    assert connections.most_connections(descriptors) == most


async def test_few_descriptors_are_left_to_those_who_ask_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda _: 20)
    async with opened() as door:
        kept, writer = await door.connect()
        writer.write(ASKED + b"\r\n")
        await kept.readuntil(b"\r\n\r\nok")
        silent = [await door.connect() for _ in range(100)]
        await _until_true(lambda: len(door.state.connections) <= 20)
        assert status_of(await door.said_to(ASKED + b"\r\n")) == 200
        writer.write(ASKED + b"\r\n")
        assert (await kept.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200"), "it was not silent"
        for _, other in [*silent, (kept, writer)]:
            other.close()


async def test_one_address_has_so_many_connections() -> None:
    async with opened(max_per_address=3) as door:
        held = [await door.connect() for _ in range(3)]
        await _until_true(lambda: len(door.state.connections) == 3)
        assert await door.said_to(ASKED + b"\r\n") == b""
        held.pop()[1].close()
        await _until_true(lambda: door.guard.per_address[LOOPBACK] == 2)
        assert status_of(await door.said_to(ASKED + b"\r\n")) == 200
        for _, writer in held:
            writer.close()


async def test_a_trusted_proxy_has_any_number_of_connections() -> None:
    async with opened(max_per_address=1, proxies=("127.0.0.0/8",)) as door:
        held = [await door.connect() for _ in range(5)]
        await _until_true(lambda: len(door.state.connections) == 5)
        assert status_of(await door.said_to(ASKED + b"\r\n")) == 200
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("asked", [ASKED + b"\r\n", ASKED + b"Connection: close\r\n\r\n", (ASKED + b"\r\n") * 50])
async def test_a_connection_whose_answers_nobody_reads_is_closed(asked: bytes) -> None:
    async with opened() as door:
        door.said = b"x" * 8_000_000  # more than the kernel keeps for a client
        door.guard.unread.read_within_s = 0.2
        _, writer = await door.connect()
        writer.transport.pause_reading()
        writer.write(asked)
        await _until_true(lambda: door.guard.unread.held)
        async with asyncio.timeout(10):
            while door.state.connections:
                await door.guard.sweep()
                await asyncio.sleep(0.02)
        assert len(door.bodies) <= 3, "answers were made, and kept, that nobody waits for"
        writer.close()


async def test_a_connection_whose_answers_are_read_slowly_is_left_alone() -> None:
    async with opened() as door:
        door.said = b"x" * 16_000_000
        door.guard.unread.read_within_s = 0.3
        reader, writer = await door.connect()
        writer.write(ASKED + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        left = len(door.said)
        while left:
            await door.guard.sweep()
            left -= len(await reader.readexactly(min(left, 400_000)))
            await asyncio.sleep(0.02)
        await door.guard.sweep()
        assert not door.guard.unread.held
        writer.close()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _until_true(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
