"""`/forgot-password`, `/reset-password`, `/verify-email`: where mails lead to in a service without pages of its own."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from inference_core.auth.policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from inference_core.settings import Settings
from inference_core.single_page import SinglePage

FOLDER = files("inference_core.auth") / "pages"


def pages_router(settings: Settings) -> APIRouter:
    """The pages of a service with these settings."""
    values = {
        "app_title": settings.app_title,
        "minimum": str(MINIMUM_LENGTH),
        "maximum": str(MAXIMUM_LENGTH),
    }
    forgot, reset, verification = (SinglePage.read(FOLDER, name, **values) for name in ("forgot", "reset", "verify"))
    router = APIRouter(include_in_schema=False)

    @router.get("/forgot-password", response_class=HTMLResponse)
    async def forgot_password_page() -> HTMLResponse:
        """A form that has a reset link mailed."""
        return forgot.response()

    @router.get("/reset-password", response_class=HTMLResponse)
    async def reset_password_page() -> HTMLResponse:
        """A form for a new password; the token is in the link's fragment, which no browser sends."""
        return reset.response()

    @router.get("/verify-email", response_class=HTMLResponse)
    async def verify_email_page() -> HTMLResponse:
        """A button that confirms an email: programs that open links in mails must not."""
        return verification.response()

    return router
