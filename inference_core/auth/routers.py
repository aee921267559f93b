"""The routers of accounts."""

from __future__ import annotations

from fastapi import APIRouter

from inference_core.auth.accounts import router
from inference_core.auth.admin import router as admin_router
from inference_core.auth.api_keys import router as api_key_router
from inference_core.auth.invitations import router as invitation_router
from inference_core.auth.pages.router import pages_router
from inference_core.auth.roles import router as role_router
from inference_core.auth.settings import AuthSettings
from inference_core.auth.tokens import router as session_router
from inference_core.core.feature import Service
from inference_core.core.settings import Settings


def hot_routers(_: Service, __: Settings) -> list[APIRouter]:
    """Return the account routes."""
    return [router.router]


def routers(_: Service, settings: Settings) -> list[APIRouter]:
    """Return the routes of sessions, API keys, roles and administration, and the pages to which mails link."""
    return [
        session_router.router,
        api_key_router.router,
        admin_router.router,
        invitation_router.router,
        role_router.own_router,
        role_router.router,
        pages_router(settings.of(AuthSettings)),
    ]
