"""The routers of the LLM endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from inference_core.core.feature import Service
from inference_core.core.settings import Settings
from inference_core.llm.api import history_router, router, stream_router, usage_router
from inference_core.llm.playground import router as playground_router


def hot_routers(_: Service, __: Settings) -> list[APIRouter]:
    """Return the streams and the routes that submit questions."""
    return [stream_router.router, router.router]


def routers(_: Service, settings: Settings) -> list[APIRouter]:
    """Return the routes of conversations and usage, and in development the playground."""
    playground = [playground_router.router] if settings.environment == "development" else []
    return [history_router.router, usage_router.router, *playground]


def announce(settings: Settings, url: str) -> Mapping[str, object]:
    """Return the address of the playground."""
    return {"Playground": f"{url}/playground"} if settings.environment == "development" else {}
