"""`GET /playground`, in development only: a page for streamed conversations that shows their times."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from inference_core.core.single_page import SinglePage

PLAYGROUND = SinglePage.read(files("inference_core.llm.playground"), scripts=("page.js", "markdown.js"))
router = APIRouter(include_in_schema=False)


@router.get("/playground", response_class=HTMLResponse)
async def playground() -> HTMLResponse:
    """Return the page. Its calls need the same permissions as those of other clients."""
    return PLAYGROUND.response()
