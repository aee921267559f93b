"""`POST /api/v1/llm/{explain,conversation}/stream`: the HTTP side of a stream.

Everything that can be refused is refused as a problem document before the 200, which is sent only when the first
token is there. From the arrival of the request to its end a watcher waits for the client to go away.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from inference_core.db.engine import DatabaseUnavailableError
from inference_core.errors import responses_for
from inference_core.exceptions import DependencyUnavailableError, NotAuthenticatedError, NotPermittedError
from inference_core.llm import errors
from inference_core.llm.dependencies import FaultHeader, PrincipalDep, question_of
from inference_core.llm.events import EVENT_SCHEMA, encode_start
from inference_core.llm.limits import Lease, LimitsUnavailableError, LLMLimitError
from inference_core.llm.open_stream import OpenStream
from inference_core.llm.schemas import ConversationRequest, ExplainRequest
from inference_core.llm.service import ConversationNotFoundError, Prepared, Principal, PromptTooLongError, Question
from inference_core.llm.state import LLMState
from inference_core.llm.streaming import finish, pump
from inference_core.llm.streams import ActiveStream
from inference_core.paths import LLM_PREFIX
from inference_core.state import state_of
from inference_core.traffic import RECEIVE_KEY, OverloadedError, release_slot

# nginx's word for it; nobody gets to see this answer.
CLIENT_GONE = 499
EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# What may be on its way to a reader: more would only be generated, and paid for, before anybody wants it.
BUFFER_BYTES = 32 * 1024
# After the connection was cut, how long its server may take to notice.
NOTICE_S = 2.0


class ShuttingDownError(DependencyUnavailableError):
    """The process is shutting down; another one answers."""

    code = "shutting_down"
    detail = "The service is shutting down. Try again."
    retry_after_s = 1


ASK_ERRORS = (
    PromptTooLongError,
    errors.ForbiddenParameterError,
    errors.ContextTooLongError,
    errors.ProviderBadRequestError,
    errors.UnknownModelError,
    ConversationNotFoundError,
    LLMLimitError,
    errors.LLMNotConfiguredError,
    LimitsUnavailableError,
    DatabaseUnavailableError,
)
REFUSALS = responses_for(
    *ASK_ERRORS,
    errors.ProviderRateLimitedError,
    errors.UpstreamFailedError,
    errors.ProviderAuthError,
    errors.ProviderTimeoutError,
    OverloadedError,
    ShuttingDownError,
)


@dataclass(slots=True)
class Serving:
    """One stream being served: what the route began and the response ends."""

    llm: LLMState
    stream: ActiveStream
    watcher: asyncio.Task[None]

    async def end(self) -> None:
        """Nothing of it is left."""
        self.watcher.cancel()
        await asyncio.wait({self.watcher})
        self.llm.streams.leave(self.stream)
        self.llm.metrics.set_active(len(self.llm.streams.active))
        if self.stream.interrupted is not None:
            self.llm.metrics.count_interruption(self.stream.interrupted)


class EventStream(Response):
    """The answer of an open stream, sent event by event."""

    media_type = EVENT_STREAM

    def __init__(self, serving: Serving, prepared: Prepared, lease: Lease, source: OpenStream) -> None:
        # Not the base's: it would announce the length of an empty body.
        self.status_code = HTTPStatus.OK
        self.background = None
        self.init_headers(HEADERS)
        self._serving = serving
        self._prepared = prepared
        self._lease = lease
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the watcher receives
        """Send it, store it, and leave nothing behind."""

        async def write(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        serving = self._serving
        hold_back(scope)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if await self._serve(write):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await cut(scope, serving.watcher)
        finally:
            await serving.end()

    async def _serve(self, write: Any) -> bool:
        llm, prepared, source = self._serving.llm, self._prepared, self._source
        start = encode_start(
            model=source.model,
            session_id=str(prepared.session.id) if prepared.session else None,
            simulated=source.simulated,
            request_id=prepared.question.request_id,
        )
        progress = await pump(self._serving.stream, source, write, start, keep_text=prepared.session is not None)

        async def store() -> None:
            await llm.service.settle_stream(prepared, self._lease, source, progress)

        return await finish(progress, write, store, write_timeout_s=llm.streams.stall_after_s)


def transport_of(scope: Scope) -> Any:
    """The connection of a request: from the server's own object for it, where that shows it as uvicorn's does.

    Any other server keeps its own buffers, and closes the connection by itself when an answer is left unfinished.
    """
    return getattr(getattr(scope.get(RECEIVE_KEY), "__self__", None), "transport", None)


def hold_back(scope: Scope) -> None:
    """Keep the connection from taking more than a reader that is slow will soon read."""
    transport = transport_of(scope)
    if transport is None:
        return
    transport.set_write_buffer_limits(high=BUFFER_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):  # it is closed already, which the watcher sees too
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


async def cut(scope: Scope, watcher: asyncio.Task[None]) -> None:
    """Close the connection of a client that has gone or does not read, whatever it still has to get."""
    transport = transport_of(scope)
    if transport is not None:
        transport.abort()
        await asyncio.wait({watcher}, timeout=NOTICE_S)


async def watch(request: Request, stream: ActiveStream) -> None:
    """Interrupt the stream when its client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stream.interrupt("gone")


async def answer(request: Request, principal: Principal, question: Question) -> Response:
    """Serve one stream up to its first token; the response serves the rest."""
    arrived_s = perf_counter()
    llm = state_of(request).llm
    prepared = await llm.service.prepare(principal, question)
    release_slot(request)
    stream = llm.streams.enter()
    llm.metrics.set_active(len(llm.streams.active))
    serving = Serving(llm, stream, asyncio.create_task(watch(request, stream), name="llm_client"))
    try:
        lease = await llm.service.admit_stream(prepared)
        source = await first_token(llm, prepared, lease, stream)
    except BaseException:
        await serving.end()
        raise
    if source is None:
        await serving.end()
        if stream.interrupted == "shutting_down":
            raise ShuttingDownError
        return Response(status_code=CLIENT_GONE)
    llm.metrics.observe_first_token(source.provider, source.model, perf_counter() - arrived_s)
    return EventStream(serving, prepared, lease, source)


async def first_token(llm: LLMState, prepared: Prepared, lease: Lease, stream: ActiveStream) -> OpenStream | None:
    """The open stream; None if it was interrupted before the first token came."""
    async with stream:
        return await llm.service.open(prepared, lease)
    return None


router = APIRouter(prefix=LLM_PREFIX, tags=["llm"], responses=responses_for(NotAuthenticatedError, NotPermittedError))
ITEM = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": EVENT_SCHEMA},
    },
    "required": ["data"],
}
STREAM: dict[str, Any] = {
    "response_class": Response,
    "status_code": HTTPStatus.OK,
    "responses": {
        **REFUSALS,
        HTTPStatus.OK: {
            "description": "`data: {json}` and a blank line for each event: start, token, usage, end; or error, end.",
            "content": {EVENT_STREAM: {"itemSchema": ITEM}},
        },
    },
}


@router.post("/explain/stream", **STREAM)
async def explain_stream(
    body: ExplainRequest, request: Request, principal: PrincipalDep, fault: FaultHeader = None
) -> Response:
    """Explain something, token by token."""
    return await answer(request, principal, question_of(body, fault))


@router.post("/conversation/stream", **STREAM)
async def conversation_stream(
    body: ConversationRequest, request: Request, principal: PrincipalDep, fault: FaultHeader = None
) -> Response:
    """Take the next turn of a conversation, token by token."""
    return await answer(request, principal, question_of(body, fault))
