"""The outermost middleware where no server of the tests gets it to: bodies of protocols that need no length."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from inference_core.edge import Edge, EdgeMiddleware
from inference_core.middleware import BodyTooLargeError, BodyTooSlowError, limited
from inference_core.telemetry.access_log import AccessLog
from inference_core.telemetry.metrics import Metrics
from inference_core.traffic import RECEIVE_KEY, Traffic

pytestmark = pytest.mark.anyio

LIMIT = 10


async def served(http_version: str, headers: list[tuple[bytes, bytes]]) -> tuple[Scope, int]:
    """Have a body of `LIMIT + 1` bytes read; gives the scope afterwards, and how many were read."""
    read = 0

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        nonlocal read
        read += len((await receive())["body"])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * (LIMIT + 1)}

    async def send(_: Message) -> None:
        """Nothing is answered."""

    metrics = Metrics()
    edge = Edge(Traffic(1, 1), metrics, AccessLog(False, False, metrics.log_lines_lost.inc), False, LIMIT)
    scope = {"type": "http", "http_version": http_version, "method": "POST", "path": "/", "headers": headers}
    await EdgeMiddleware(app, edge)(scope, receive, send)
    assert edge.traffic.active == 0
    return scope, read


@pytest.mark.parametrize(
    ("http_version", "headers"),
    [
        ("2", []),
        ("3", []),
        ("1.1", [(b"transfer-encoding", b"chunked")]),
        ("1.1", [(b"content-length", b"11")]),
        ("1.1", [(b"content-length", b"1")]),
    ],
)
async def test_a_body_is_limited_whether_its_length_is_told_or_not(
    http_version: str, headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(BodyTooLargeError):
        await served(http_version, headers)


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.middleware.BODY_WITHIN_S", 0.05)
    messages = iter([{"type": "http.request", "body": b"x", "more_body": True}])

    async def stalled() -> Message:
        for message in messages:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    receive = limited(stalled, LIMIT, None)
    assert (await receive())["body"] == b"x"
    with pytest.raises(BodyTooSlowError):
        await receive()


async def test_after_its_body_a_request_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.middleware.BODY_WITHIN_S", 0.0)
    messages = iter([{"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}])

    async def slow() -> Message:
        message = next(messages)
        if message["type"] == "http.disconnect":
            await anyio.sleep(0.1)
        return message

    receive = limited(slow, LIMIT, 1)
    assert [(await receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]


async def test_what_a_request_holds_leads_not_back_to_it() -> None:
    scope, _ = await served("1.1", [])
    assert RECEIVE_KEY not in scope
