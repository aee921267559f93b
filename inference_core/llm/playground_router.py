"""`GET /playground`, in development only: one page to talk to the models by stream, with the times shown."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

PAGE = files("inference_core.llm").joinpath("playground.html").read_text(encoding="utf-8")


def policy(page: str) -> str:
    """The page's content security policy: its own style and script, calls to this service, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_of(page, 'script')}",
            f"style-src {_hash_of(page, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash_of(page: str, tag: str) -> str:
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": policy(PAGE),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
router = APIRouter(include_in_schema=False)


@router.get("/playground", response_class=HTMLResponse)
async def playground() -> HTMLResponse:
    """The page; who may use it, its calls find out as any other client's."""
    return HTMLResponse(PAGE, headers=HEADERS)
