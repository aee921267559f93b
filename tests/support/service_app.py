"""The service with a few routes that only tests need: submitting test tasks, being slow, blocking, counting garbage."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from inference_core.core.addresses import client_address
from inference_core.core.state import StateDep
from inference_core.tasks.idempotency import IdempotencyKey, fingerprint
from inference_core.tasks.state import TasksState
from tests.support.settings import application

router = APIRouter(prefix="/test")


class Submission(BaseModel):
    task: str
    args: list[Any] = []
    owner: str | None = None


class Submitted(BaseModel):
    task_id: str


class SeenClient(BaseModel):
    address: str
    base_url: str


@router.get("/client")
async def client(request: Request) -> SeenClient:
    return SeenClient(address=client_address(request.scope), base_url=str(request.base_url))


@router.post("/submit", status_code=202)
async def submit(submission: Submission, state: StateDep) -> Submitted:
    task_id = await state.of(TasksState).service.submit(submission.task, *submission.args, owner=submission.owner)
    return Submitted(task_id=task_id)


@router.post("/submit-once", status_code=202)
async def submit_once(submission: Submission, state: StateDep, key: IdempotencyKey = None) -> Submitted:
    assert key is not None
    mark = fingerprint(submission.task, submission.args)
    who = submission.owner
    task_id = await state.of(TasksState).service.submit_once(
        key, mark, submission.task, *submission.args, caller=who or "somebody", owner=who
    )
    return Submitted(task_id=task_id)


@router.get("/block")
async def block(seconds: float) -> dict[str, float]:
    time.sleep(seconds)  # noqa: ASYNC251  # the very mistake the lag measure must find
    return {"seconds": seconds}


@router.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@router.get("/garbage")
async def garbage() -> int:
    """How many objects only the collector could free, since the process began."""
    gc.collect()
    return sum(generation["collected"] for generation in gc.get_stats())


@router.post("/break/{number}")
async def break_down(number: int) -> dict[str, int]:
    raise RuntimeError("broken")


app = application(None, router)
# No test reads the OpenAPI document from here, and making it takes a third of a second of every start.
app.openapi_schema = {}
