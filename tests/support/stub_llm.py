"""The LLM endpoints of the stand-in service: a model that says in advance when its tokens are due, and may be late."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

TOKENS = 12
FIRST_MS = 40.0
GAP_MS = 10.0
LATE_MS = 60.0
HEALTH = {"status": "healthy", "available_models": 1, "total_models": 1, "models": {"stub": True}}


class StubLLM:
    """`fault`: `live` could cost money, `late` serves each token later than planned, `miscounting` counts one token
    more than came, `endless` leaves out the end, `undeclared` does not say that its answers are simulated.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.asked: dict[str, int] = {}
        self.sessions: set[str] = set()

    async def answer(self, request: Request) -> Response:
        """Answer one request of `/llm` or for the result of a task."""
        path = request.url.path
        if path.endswith("/health"):
            return JSONResponse(HEALTH | {"provider_mode": "simulated", "live_calls_possible": self.fault == "live"})
        if path.endswith("/result"):
            return self.result(path.split("/")[-2])
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return JSONResponse({"title": "Unauthorized"}, 401)
        body = await request.json()
        if path.endswith("/stream"):
            return self.stream(body, is_conversation="user_input" in body)
        task_id = str(uuid.uuid4())
        self.asked[task_id] = 0
        return JSONResponse({"task_id": task_id, "status": "PENDING", "message": "sent", "estimated_time": None})

    def result(self, task_id: str) -> Response:
        """Not there when first asked for."""
        self.asked[task_id] += 1
        if self.asked[task_id] == 1:
            return JSONResponse({"task_id": task_id, "status": "PENDING"}, 202)
        texts = {"answer": "so", "reply": "so", "session_id": "s"}
        metadata = {"model_name": "stub", "simulated": self.fault != "undeclared", "usage": {"output_tokens": 1}}
        done = {"task_id": task_id, "status": "SUCCESS", "success": True}
        return JSONResponse(done | {"result": texts, "metadata": metadata})

    def stream(self, body: dict[str, Any], *, is_conversation: bool) -> Response:
        """A conversation that nobody began is a failure."""
        session_id = body.get("session_id")
        if session_id is not None and session_id not in self.sessions:
            return JSONResponse({"title": "Not Found"}, 404)
        simulated = self.fault != "undeclared"
        start: dict[str, Any] = {"event": "start", "model": "stub", "simulated": simulated, "request_id": "r"}
        if is_conversation:
            start["session_id"] = session_id or str(uuid.uuid4())
            self.sessions.add(start["session_id"])
        return StreamingResponse(self.events(start), media_type="text/event-stream")

    async def events(self, start: dict[str, Any]) -> AsyncIterator[str]:
        """The events of one answer, each at its time."""
        began_s = time.monotonic()
        for number in range(TOKENS):
            planned_ms = FIRST_MS + number * GAP_MS
            late_ms = LATE_MS * (number + 1) if self.fault == "late" else 0.0
            await sleep_until(began_s + (planned_ms + late_ms) / 1000)
            if number == 0:
                yield event(start)
                yield ": ping\n\n"
            yield event({"event": "token", "content": f" word{number}", "planned_ms": planned_ms})
        output_tokens = TOKENS + (self.fault == "miscounting")
        usage = {"input_tokens": 3, "output_tokens": output_tokens, "total_tokens": 3 + output_tokens}
        yield event({"event": "usage", "usage": usage})
        if self.fault != "endless":
            yield event({"event": "end"})


async def sleep_until(due_s: float) -> None:
    """Until that moment of `time.monotonic`, and not before: uvloop wakes a sleeper up to a millisecond early."""
    while (left_s := due_s - time.monotonic()) > 0:  # noqa: ASYNC110  # nothing but the clock is waited for
        await asyncio.sleep(left_s)


def event(fields: dict[str, Any]) -> str:
    """One event as it goes over the wire."""
    return f"data: {json.dumps(fields)}\n\n"
