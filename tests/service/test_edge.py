"""The outermost middleware where no server of the tests gets it to: bodies of protocols that need no length."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from inference_core.edge import Edge, EdgeMiddleware
from inference_core.middleware import BodyTooLargeError
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


async def test_what_a_request_holds_leads_not_back_to_it() -> None:
    scope, _ = await served("1.1", [])
    assert RECEIVE_KEY not in scope
