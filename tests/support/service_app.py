"""The service with a few routes that only tests need: submitting test tasks, being slow, blocking."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from inference_core.main_factory import create_application
from inference_core.state import StateDep

router = APIRouter(prefix="/test")


class Submission(BaseModel):
    task: str
    args: list[Any] = []
    owner: str | None = None


class Submitted(BaseModel):
    task_id: str


@router.post("/submit", status_code=202)
async def submit(submission: Submission, state: StateDep) -> Submitted:
    task_id = await state.task_service.submit(submission.task, *submission.args, owner=submission.owner)
    return Submitted(task_id=task_id)


@router.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


app = create_application(routers=(router,))
