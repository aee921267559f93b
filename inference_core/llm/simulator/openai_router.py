"""The simulator with the chat completions API of OpenAI, for `inference-core llm-sim`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from inference_core.llm.simulator import wire
from inference_core.llm.simulator.engine import Answer, Engine
from inference_core.llm.simulator.faults import FAULT_HEADER, BadFaultError, SimulatedFailure
from inference_core.llm.types import ModelCall

SSE = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


def openai_application(engine: Engine) -> Starlette:
    """Return an application that serves `engine` under /v1."""

    async def list_models(_: Request) -> Response:
        return JSONResponse(wire.models())

    async def get_model(request: Request) -> Response:
        return JSONResponse(wire.model(request.path_params["name"]))

    async def chat(request: Request) -> Response:
        try:
            body = wire.ChatBody.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            what = first["msg"].removeprefix("Value error, ")
            refusal = wire.error_body(what, "invalid_request_error", None, wire.parameter_at(first["loc"]))
            return JSONResponse(refusal, 400)
        return ChatResponse(engine, body, request.headers.get(FAULT_HEADER))

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "running": engine.running, "queued": engine.queued})

    routes = [
        Route("/v1/models", list_models),
        Route("/v1/models/{name:path}", get_model),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/health", health),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    return JSONResponse(wire.error_body(error.detail, "invalid_request_error", None), error.status_code)


class ChatResponse(Response):
    """Return an answer, complete or as a stream.

    If the client disconnects, it ends, even if it still waits in the queue.
    """

    def __init__(self, engine: Engine, body: wire.ChatBody, fault: str | None) -> None:
        self.background = None
        self._engine = engine
        self._body = body
        self._request = body.request(fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, and stop if the client disconnects."""
        work = asyncio.ensure_future(self._serve(scope, receive, send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            await asyncio.wait({work, gone})
        if not work.cancelled():
            work.result()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        model = self._body.model
        started = False
        try:
            async with self._engine.answer(self._request, ModelCall(model, model)) as answer:
                if self._body.stream:
                    started = True
                    await self._stream(answer, send)
                    return
                async with aclosing(answer.tokens()) as tokens:
                    async for _ in tokens:
                        pass
            whole = JSONResponse(wire.Writer(model).completion(answer.plan))
        except BadFaultError as error:
            whole = JSONResponse(wire.error_body(str(error), "invalid_request_error", "bad_fault"), 400)
        except SimulatedFailure as failure:
            # If the stream breaks off, the server closes the connection.
            if started or failure.fault.kind not in wire.REFUSALS:
                raise
            status, content, headers = wire.refusal(failure.fault)
            whole = JSONResponse(content, status, headers)
        await whole(scope, receive, send)

    async def _stream(self, answer: Answer, send: Send) -> None:
        writer = wire.Writer(self._body.model)
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        before = writer.role()
        try:
            async with aclosing(answer.tokens()) as tokens:
                async for token in tokens:
                    await _write(send, before + writer.token(token))
                    before = b""
        except SimulatedFailure as failure:
            if failure.fault.kind != "malformed":
                raise
            await _write(send, wire.MALFORMED)
        await _write(send, writer.end(answer.plan))
        usage = writer.usage(answer.plan) if self._body.wants_usage else b""
        await _write(send, usage + wire.DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
