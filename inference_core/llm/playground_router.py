"""`GET /playground`, in development only: one page to talk to the models by stream, with the times shown."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

PARTS = files("inference_core.llm") / "playground"


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _hash_of(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


STYLE, SCRIPT = _part("page.css"), _part("page.js")
PAGE = _part("page.html").replace("{{style}}", STYLE).replace("{{script}}", SCRIPT)
# Its own style and script, calls to this service, and nothing else.
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hash_of(SCRIPT)}",
        f"style-src {_hash_of(STYLE)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
router = APIRouter(include_in_schema=False)


@router.get("/playground", response_class=HTMLResponse)
async def playground() -> HTMLResponse:
    """The page; who may use it, its calls find out as any other client's."""
    return HTMLResponse(PAGE, headers=HEADERS)
