"""`/forgot-password`, `/reset-password` and `/verify-email`: the pages to which mails link."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from inference_core.auth.policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from inference_core.core.settings import Settings
from inference_core.core.single_page import SinglePage

FOLDER = files("inference_core.auth") / "pages"


def pages_router(settings: Settings) -> APIRouter:
    """Return the router of the pages for these settings."""
    values = {
        "app_title": settings.app_title,
        "minimum": str(MINIMUM_LENGTH),
        "maximum": str(MAXIMUM_LENGTH),
    }
    forgot, reset, verification = (SinglePage.read(FOLDER, name, **values) for name in ("forgot", "reset", "verify"))
    router = APIRouter(include_in_schema=False)

    @router.get("/forgot-password", response_class=HTMLResponse)
    async def forgot_password_page() -> HTMLResponse:
        """Return a form that requests a mail with a reset link."""
        return forgot.response()

    @router.get("/reset-password", response_class=HTMLResponse)
    async def reset_password_page() -> HTMLResponse:
        """Return a form for a new password. The token is in the fragment of the link, which browsers do not send."""
        return reset.response()

    @router.get("/verify-email", response_class=HTMLResponse)
    async def verify_email_page() -> HTMLResponse:
        """Return a page with a button that confirms an email, because programs can open links in mails."""
        return verification.response()

    return router
