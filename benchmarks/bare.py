"""Minimal FastAPI application, the baseline of the benchmarks."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Answer(BaseModel):
    message: str = "pong"
    status: str = "ok"


@app.get("/")
@app.get("/api/v1/health/live")
async def bare() -> Answer:
    return Answer()


class Profile(BaseModel):
    id: str = "00000000-0000-4000-8000-000000000000"
    username: str = "user0123456789ab"
    email: str = "user0123456789ab@example.com"
    first_name: str | None = None
    last_name: str | None = None
    is_active: bool = True
    is_verified: bool = False
    created_at: str = "2000-01-01T00:00:00.000000Z"
    updated_at: str = "2000-01-01T00:00:00.000000Z"


@app.get("/profile")
async def profile() -> Profile:
    return Profile()


TOKEN = b'data: {"event":"token","content":" answers","planned_ms":0.000}\n\n'
TOKENS = 150


@app.post("/stream")
async def stream() -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        for _ in range(TOKENS):
            yield TOKEN
        yield b'data: {"event":"end"}\n\n'

    return StreamingResponse(events(), media_type="text/event-stream")
