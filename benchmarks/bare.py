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
