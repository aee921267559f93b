"""`/forgot-password`, `/reset-password`, `/verify-email` and `/register`: the pages to which mails link."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from inference_core.auth.passwords.policy import MAXIMUM_LENGTH, MINIMUM_LENGTH
from inference_core.auth.settings import AuthSettings
from inference_core.core.single_page import SinglePage

FOLDER = files("inference_core.auth") / "pages"


def pages_router(settings: AuthSettings) -> APIRouter:
    """Return the router of the pages for these settings. There is no page to register if registration is closed."""
    values = {
        "app_title": settings.app_title,
        "minimum": str(MINIMUM_LENGTH),
        "maximum": str(MAXIMUM_LENGTH),
        # Where registration is open, the page also works without the link of a mail.
        "from_mail": "data-from-mail" if settings.registration == "invite" else "",
    }
    names = ("forgot", "reset", "verify", "register")
    forgot, reset, verification, registration = (SinglePage.read(FOLDER, name, **values) for name in names)
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

    if settings.registration != "closed":

        @router.get("/register", response_class=HTMLResponse)
        async def register_page() -> HTMLResponse:
            """Return a form that creates an account. An invitation is in the fragment of the link."""
            return registration.response()

    return router
