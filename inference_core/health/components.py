"""The state of the service's parts, and the pure rule that makes one word of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Status = Literal["healthy", "degraded", "unhealthy", "not_configured"]
Overall = Literal["healthy", "degraded", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its state, when that was seen, and one sentence where it is not well."""

    status: Status
    checked_at: datetime
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Components:
    """All parts, by the names of the contract."""

    database: Component
    application: Component
    redis: Component
    tasks: Component
    llm: Component


def overall(components: Components) -> Overall:
    """The service as a whole: without its database it serves nothing, without another part less.

    A part that is not configured is not missed.
    """
    if components.database.status == "unhealthy":
        return "unhealthy"
    others = (components.application, components.redis, components.tasks, components.llm)
    return "degraded" if any(part.status in ("degraded", "unhealthy") for part in others) else "healthy"
