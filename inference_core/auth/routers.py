"""The routers of accounts."""

from __future__ import annotations

from fastapi import APIRouter

from inference_core.auth import admin_router, invitation_router, router, session_router
from inference_core.auth.pages_router import pages_router
from inference_core.auth.settings import AuthSettings
from inference_core.core.feature import Service
from inference_core.core.settings import Settings


def hot_routers(_: Service, __: Settings) -> list[APIRouter]:
    """Return the account routes."""
    return [router.router]


def routers(_: Service, settings: Settings) -> list[APIRouter]:
    """Return the routes of sessions and of administration, and the pages to which mails link."""
    pages = pages_router(settings.of(AuthSettings))
    return [session_router.router, admin_router.router, invitation_router.router, pages]
