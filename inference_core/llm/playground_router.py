"""`GET /playground`, in development only: one page to talk to the models by stream, with the times shown."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from inference_core.single_page import SinglePage

PLAYGROUND = SinglePage.read(files("inference_core.llm") / "playground")
router = APIRouter(include_in_schema=False)


@router.get("/playground", response_class=HTMLResponse)
async def playground() -> HTMLResponse:
    """The page; who may use it, its calls find out as any other client's."""
    return PLAYGROUND.response()
