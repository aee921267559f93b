"""The pure rule that derives the overall status from the states of the parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from inference_core.core.health import Component

Overall = Literal["healthy", "degraded", "unhealthy"]
# The parts of every service, before those of its features.
PARTS = ("database", "application", "redis")


def overall(components: Mapping[str, Component]) -> Overall:
    """Return the overall status: unhealthy without the database, degraded without another part.

    Parts that are not configured are ignored.
    """
    if components["database"].status == "unhealthy":
        return "unhealthy"
    return "degraded" if any(part.status in ("degraded", "unhealthy") for part in components.values()) else "healthy"
