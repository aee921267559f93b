"""The outermost middleware: what is taken in of a body, in which time and encoding, before its request has a slot."""

from __future__ import annotations

import json

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from inference_core.app.edge.bodies import (
    Body,
    BodyLimits,
    BodyTooComplexError,
    BodyTooLargeError,
    BodyTooSlowError,
    ClientGoneError,
    Intake,
    IntakeFullError,
    UnsupportedFormError,
)
from inference_core.app.edge.middleware import Edge, EdgeMiddleware, other_slash
from inference_core.core.telemetry.access_log import AccessLog
from inference_core.core.telemetry.metrics import Metrics
from inference_core.core.traffic import RECEIVE_KEY, Traffic
from inference_core.llm.api.schemas import PROMPT_CHARACTERS

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
    edge = Edge(
        Traffic(1, 1), metrics, AccessLog(False, False, metrics.log_lines_lost.inc), False, BodyLimits(LIMIT, LIMIT)
    )
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


async def test_an_answer_that_is_being_sent_holds_no_slot() -> None:
    metrics = Metrics()
    log = AccessLog(False, False, metrics.log_lines_lost.inc)
    edge = Edge(Traffic(1, 0), metrics, log, False, BodyLimits(LIMIT, LIMIT))
    may_read = anyio.Event()
    scopes = [{"type": "http", "http_version": "1.1", "method": "GET", "path": path, "headers": []} for path in "ab"]
    statuses: list[int] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        assert edge.traffic.active == 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def never_reads(_: Message) -> None:
        await may_read.wait()

    async def reads(message: Message) -> None:
        statuses.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async with anyio.create_task_group() as group:
        group.start_soon(EdgeMiddleware(app, edge), scopes[0], receive, never_reads)
        await anyio.wait_all_tasks_blocked()
        assert edge.traffic.active == 0
        await EdgeMiddleware(app, edge)(scopes[1], receive, reads)
        assert statuses == [200]
        may_read.set()
    assert edge.traffic.active == 0


def body_of(messages: list[Message], then: float | None = None, content_type: bytes = b"") -> Body:
    """A body that comes in these messages; after them nothing comes, or a disconnection `then` seconds later."""
    rest = iter(messages)

    async def receive() -> Message:
        for message in rest:
            return message
        await (anyio.sleep_forever() if then is None else anyio.sleep(then))
        return {"type": "http.disconnect"}

    return Body(receive, LIMIT, content_type, None)


def piece(size: int, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.app.edge.bodies.BODY_WITHIN_S", 0.05)
    for taken_in in (True, False):
        body = body_of([piece(1)])
        if taken_in:
            await body.take_in(Intake())
        else:
            await body.receive()
        with pytest.raises(BodyTooSlowError):
            await body.receive()


async def test_after_its_body_a_request_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.app.edge.bodies.BODY_WITHIN_S", 0.05)
    for taken_in in (True, False):
        body = body_of([piece(1, more=False)], then=0.1)
        if taken_in:
            await body.take_in(Intake())
        assert [(await body.receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]


async def test_a_body_is_taken_in_whole_whatever_pieces_it_comes_in() -> None:
    body = body_of([piece(3), piece(0), piece(4), piece(3, more=False)])
    intake = Intake()
    await body.take_in(intake)
    assert intake.held_bytes == LIMIT
    assert await body.receive() == piece(LIMIT, more=False)
    body.leave_intake()
    body.leave_intake()
    assert (intake.held_bytes, intake.coming) == (0, {})


async def test_a_client_that_leaves_before_its_body_is_there_needs_no_slot() -> None:
    intake = Intake()
    body = body_of([piece(3)], then=0.0)
    with pytest.raises(ClientGoneError):
        await body.take_in(intake)
    body.leave_intake()
    assert (intake.held_bytes, intake.coming) == (0, {})


@pytest.mark.parametrize("intake", [Intake(limit_bytes=8), Intake(limit_bodies=2)])
async def test_the_body_that_has_been_coming_longest_makes_room_for_others(intake: Intake) -> None:
    bodies = [body_of([piece(3)]) for _ in range(4)]
    outcomes: list[str] = []

    async def take_in(body: Body, name: str) -> None:
        try:
            await body.take_in(intake)
        except IntakeFullError:
            outcomes.append(name)
        finally:
            body.leave_intake()

    async with anyio.create_task_group() as group:
        for number, body in enumerate(bodies):
            group.start_soon(take_in, body, str(number))
            await anyio.wait_all_tasks_blocked()
        quick = body_of([piece(1, more=False)])
        await quick.take_in(intake)
        await anyio.wait_all_tasks_blocked()
        assert outcomes == (["0", "1", "2"] if intake.limit_bodies == 2 else ["0", "1"])
        assert (await quick.receive())["body"] == b"x"
        quick.leave_intake()
        group.cancel_scope.cancel()
    assert (intake.held_bytes, intake.coming) == (0, {})


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data; boundary=x; charset=punycode",
        b"Multipart/Form-Data; boundary=x; CHARSET=idna",
        b"multipart/form-data; boundary=x; charset*=utf-8''punycode",
        b"multipart/form-data; boundary=x; charset*0=puny; charset*1=code",
        b'multipart/form-data; boundary=x; charset="puny\\code"',
        b"multipart/form-data; charset=utf-8; charset=punycode; boundary=x",
        b"multipart/mixed; boundary=x; charset=utf-7",
        b"application/x-www-form-urlencoded; charset=zlib",
        b"application/x-www-form-urlencoded;charset=utf-16",
        b"application/x-www-form-urlencoded; charset=utf-8x",
        b"multipart/form-data; boundary=" + b"x" * 300,
        b"application/json" + b";" * 60_000,
    ],
)
async def test_no_caller_chooses_what_decodes_a_form(content_type: bytes) -> None:
    body = body_of([piece(1, more=False)], content_type=content_type)
    await body.take_in(Intake())
    with pytest.raises(UnsupportedFormError):
        await body.receive()


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data; boundary=x",
        b"multipart/form-data; charset=UTF-8; boundary=x",
        b'application/x-www-form-urlencoded; charset="utf-8"',
        b"application/x-www-form-urlencoded;charset=utf8",
        b"application/json; charset=punycode",
    ],
)
async def test_a_form_in_utf_8_is_read(content_type: bytes) -> None:
    body = body_of([piece(1, more=False)], content_type=content_type)
    await body.take_in(Intake())
    assert await body.receive() == piece(1, more=False)


@pytest.mark.parametrize("text", [b"{}," * 400_000, b"[" * 400_000, b'"a":1,' * 100_000])
async def test_a_body_of_too_many_values_is_not_parsed(text: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": text}

    for content_type, refused in ((b"application/json", True), (b"", True), (b"text/csv", False)):
        body = Body(receive, len(text), content_type, None)
        await body.take_in(Intake())
        if refused:
            with pytest.raises(BodyTooComplexError):
                await body.receive()
        else:
            assert len((await body.receive())["body"]) > 0


@pytest.mark.parametrize("part", ['{"a":1},', "[1],", "1,2,", "a: b, c. "])
async def test_a_prompt_of_the_greatest_length_is_read_even_if_it_is_full_of_marks(part: str) -> None:
    text = json.dumps({"question": (part * PROMPT_CHARACTERS)[:PROMPT_CHARACTERS]}).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": text}

    body = Body(receive, len(text), b"application/json", None)
    await body.take_in(Intake())
    assert (await body.receive())["body"] == text


async def test_what_a_request_holds_leads_not_back_to_it() -> None:
    scope, _ = await served("1.1", [])
    assert RECEIVE_KEY not in scope


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("//evil.example/", b"/evil.example"),
        ("//evil.example", b"/evil.example/"),
        ("/a//", b"/a"),
        ("/\\e", b"/%5Ce/"),
    ],
)
async def test_a_redirect_to_the_other_slash_names_no_host(path: str, target: bytes) -> None:
    assert other_slash({"path": path, "query_string": b""}) == target
