"""`GET /docs`: Swagger UI 5.35.0 (swagger-ui-dist of npm, Apache-2.0). The service delivers all of its files itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

FOLDER = files("inference_core.app.documentation")
FILES = {
    "swagger-ui-bundle.js": ("vendor/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("vendor/swagger-ui.css", "text/css"),
    "init.js": ("init.js", "text/javascript"),
}
# Only scripts and calls of this service are allowed. The images of Swagger UI are in its style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FILE_HEADERS = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}


def documentation_router(title: str) -> APIRouter:
    """Return the router of the page, at `/docs` and `/redoc`, and of its files."""
    router = APIRouter(include_in_schema=False)
    page = (FOLDER / "page.html").read_text(encoding="utf-8").replace("{{title}}", escape(title))

    @router.get("/docs", response_class=HTMLResponse)
    @router.get("/redoc", response_class=HTMLResponse)
    async def documentation() -> HTMLResponse:
        """Return the page."""
        return HTMLResponse(page, headers=PAGE_HEADERS)

    for name, (path, media_type) in FILES.items():
        content = (FOLDER / path).read_bytes()
        router.add_api_route(f"/docs/{name}", _answer(content, media_type), response_class=Response)
    return router


def _answer(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        """Return a file of the page."""
        return Response(content, media_type=media_type, headers=FILE_HEADERS)

    return answer
