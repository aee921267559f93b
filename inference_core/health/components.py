"""The states of the service's parts, and the pure rule that derives the overall status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Status = Literal["healthy", "degraded", "unhealthy", "not_configured"]
Overall = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its status, the time of the probe, and a sentence if it is not healthy."""

    status: Status
    checked_at: datetime
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Components:
    """All parts by their names in the API."""

    database: Component
    application: Component
    redis: Component
    tasks: Component
    llm: Component


def overall(components: Components) -> Overall:
    """Return the overall status: unhealthy without the database, degraded without another part.

    Parts that are not configured are ignored.
    """
    if components.database.status == "unhealthy":
        return "unhealthy"
    others = (components.application, components.redis, components.tasks, components.llm)
    return "degraded" if any(part.status in ("degraded", "unhealthy") for part in others) else "healthy"
