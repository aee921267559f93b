"""The plainest FastAPI application: what the benchmarks compare with."""

from __future__ import annotations

from fastapi import FastAPI
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
