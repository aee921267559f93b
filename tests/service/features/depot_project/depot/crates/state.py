"""What the feature opens at the start, its health and its metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Counter

from inference_core.core.health import Component
from inference_core.core.state import AppState
from inference_core.core.telemetry.metrics import Metrics


@dataclass
class Shelf:
    """The resource of the process."""

    is_open: bool = True


class CratesMetrics:
    """A counter of new crates."""

    def __init__(self, metrics: Metrics) -> None:
        self.opened = Counter("crates_opened", "New crates.", registry=metrics.registry)


@asynccontextmanager
async def open_crates(state: AppState) -> AsyncIterator[Shelf]:
    """Open the shelf, and close it at the end."""
    shelf = Shelf()
    yield shelf
    shelf.is_open = False


def shelf_component(state: AppState) -> Component:
    """Return the state of the shelf at once."""
    return Component("healthy" if state.of(Shelf).is_open else "unhealthy", datetime.now(UTC))


async def crane_component(state: AppState) -> Component:
    """Return the state of the crane by a round trip."""
    await state.redis.client.ping()
    return Component("not_configured", datetime.now(UTC), "There is no crane.")
