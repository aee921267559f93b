"""`POST /api/v1/llm/{explain,conversation}/stream`: the HTTP side of a stream.

The status 200 is sent with the first token, or with the first ping if the model needs longer than `LLM_PING_S`. Without
the ping, a proxy could close the connection of a model that reasons for minutes. Errors before the 200 are problem
documents, and later ones are `error` events. From the arrival of the request to its end, a separate task waits for the
client to disconnect.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.types import Message, Receive, Scope, Send

from inference_core.core.db.engine import DatabaseUnavailableError
from inference_core.core.exceptions import (
    NotAuthenticatedError,
    NotPermittedError,
    ServiceError,
)
from inference_core.core.paths import LLM_PREFIX
from inference_core.core.problems import responses_for
from inference_core.core.state import state_of
from inference_core.core.traffic import RECEIVE_KEY, OverloadedError, ShuttingDownError, release_slot
from inference_core.llm import errors
from inference_core.llm.accounting.limits import LimitsUnavailableError, LLMLimitError
from inference_core.llm.accounting.spending import Spending
from inference_core.llm.api.dependencies import FaultHeader, PrincipalDep, question_of
from inference_core.llm.api.schemas import ConversationRequest, ExplainRequest
from inference_core.llm.conversations.service import ConversationNotFoundError
from inference_core.llm.gateway.open_stream import OpenStream
from inference_core.llm.principal import Principal
from inference_core.llm.questions import Question
from inference_core.llm.service import PromptTooLongError
from inference_core.llm.state import LLMState
from inference_core.llm.streaming.events import EVENT_SCHEMA, encode_start
from inference_core.llm.streaming.sending import finish, pump
from inference_core.llm.streaming.streams import ActiveStream

# The status of nginx for a client that has disconnected. It appears only in the log.
CLIENT_GONE = 499
EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# Maximum unread data of a stream. More would only be generated, and charged, before the client reads it.
BUFFER_BYTES = 32 * 1024
# Maximum time until the server reports a connection that was closed here.
NOTICE_S = 2.0


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


class EventStream(Response):
    """One stream, from the check of its request to its end.

    Everything happens while the response is served: the resources of a stream (slot, lease, call of the provider)
    belong to contexts of one coroutine, so that all of them are released in any case. Errors before the first event
    become problem documents, like those of a route.
    """

    media_type = EVENT_STREAM

    def __init__(self, request: Request, principal: Principal, question: Question) -> None:
        # The constructor of the base class would set a Content-Length of 0.
        self.status_code = HTTPStatus.OK
        self.background = None
        self.init_headers(HEADERS)
        self._request = request
        self._llm = state_of(request).of(LLMState)
        self._principal = principal
        self._question = question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        arrived_s = perf_counter()
        llm = self._llm
        prepared = await llm.service.prepare(self._principal, self._question)
        release_slot(self._request)
        with llm.place(anonymous=self._principal.user_id is None) as stream:
            client = Client(scope, send, stream, self.raw_headers)
            async with watched(receive, stream) as watcher, llm.service.stream(prepared) as spending:
                source = await first_token(spending, stream, client)
                if source is not None:
                    llm.metrics.observe_first_token(source.provider, source.model, perf_counter() - arrived_s)
                elif not client.began:
                    if stream.interrupted == "shutting_down":
                        raise ShuttingDownError
                    await Response(status_code=CLIENT_GONE)(scope, receive, client.send)
                    return
                if await self._serve(client, stream, spending, source):
                    await client.write(b"", more=False)
                else:
                    client.cut()
                    await asyncio.wait({watcher}, timeout=NOTICE_S)

    async def _serve(self, client: Client, stream: ActiveStream, spending: Spending, source: OpenStream | None) -> bool:
        session = spending.prepared.session
        if source is not None:
            start = encode_start(
                model=source.model,
                session_id=str(session.id) if session else None,
                simulated=source.simulated,
                request_id=self._question.request_id,
            )
            await pump(stream, source, client.write, start, spending.progress, keep_text=session is not None)
        stored = await finish(
            spending.progress, client.write, spending.settle, write_timeout_s=self._llm.streams.stall_after_s
        )
        return stored and stream.interrupted != "gone"


class Client:
    """The connection of a stream's client.

    A closed connection interrupts the stream. Methods of uvloop's transports raise RuntimeError from the end of the
    connection until the server reports the disconnection.

    Attributes:
        began: Whether the head of the response was sent.
    """

    def __init__(self, scope: Scope, send: Send, stream: ActiveStream, headers: list[tuple[bytes, bytes]]) -> None:
        self.began = False
        self._send = send
        self._stream = stream
        self._headers = headers
        # The transport of uvicorn. It is None with other servers, which have their own buffers and close the connection
        # after an incomplete response.
        self._transport: Any = getattr(getattr(scope.get(RECEIVE_KEY), "__self__", None), "transport", None)

    async def send(self, message: Message) -> None:
        """Send a message of the response, unless the client has disconnected."""
        with self._interrupting():
            await self._send(message)

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a part of the body. Send the head before the first part."""
        if not self.began:
            self.began = True
            self._limit_buffers()
            await self.send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self._headers})
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    def _limit_buffers(self) -> None:
        """Limit the unread data in the buffers of the transport and the socket."""
        if self._transport is None:
            return
        with self._interrupting():
            self._transport.set_write_buffer_limits(high=BUFFER_BYTES)
            connection = self._transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)

    def cut(self) -> None:
        """Close the connection of a client that has disconnected or does not read, without sending the rest."""
        if self._transport is not None:
            with self._interrupting():
                self._transport.abort()

    @contextmanager
    def _interrupting(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._stream.interrupt("gone")
        except RuntimeError:
            if self._transport is None or not self._transport.is_closing():
                raise
            self._stream.interrupt("gone")


@asynccontextmanager
async def watched(receive: Receive, stream: ActiveStream) -> AsyncIterator[asyncio.Task[None]]:
    """Interrupt the stream if its client disconnects. Return the watching task."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        stream.interrupt("gone")

    watcher = asyncio.create_task(watch(), name="llm_client")
    try:
        yield watcher
    finally:
        watcher.cancel()
        await asyncio.wait({watcher})


async def first_token(spending: Spending, stream: ActiveStream, client: Client) -> OpenStream | None:
    """Return the stream with its first token.

    Return None if the stream was interrupted before, or if it failed after the first ping.

    Raises:
        LLMError: The stream failed before the first ping.
    """
    try:
        async with stream:
            stream.begin_writing(client.write)
            return await spending.open()
    except ServiceError as error:
        if not client.began:
            raise
        spending.progress.error = error
    spending.progress.interrupted = stream.interrupted
    return None


router = APIRouter(prefix=LLM_PREFIX, tags=["llm"], responses=responses_for(NotAuthenticatedError, NotPermittedError))
# OpenAPI 3.1 cannot describe the items of a stream, and few generators support `itemSchema` of OpenAPI 3.2. This is
# therefore the schema of one event.
EVENT = {
    "type": "object",
    "description": "A server-sent event; the response consists of any number of events.",
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
            "description": "Each event is `data: {json}` and a blank line: start, token, usage, end; or error, end.",
            "content": {EVENT_STREAM: {"schema": EVENT}},
        },
    },
}


@router.post("/explain/stream", **STREAM)
async def explain_stream(
    body: ExplainRequest, request: Request, principal: PrincipalDep, fault: FaultHeader = None
) -> Response:
    """Stream the answer to a question."""
    return EventStream(request, principal, question_of(body, fault))


@router.post("/conversation/stream", **STREAM)
async def conversation_stream(
    body: ConversationRequest, request: Request, principal: PrincipalDep, fault: FaultHeader = None
) -> Response:
    """Stream the next turn of a conversation."""
    return EventStream(request, principal, question_of(body, fault))
