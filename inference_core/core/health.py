"""The state of a part of a service, as its feature reports it to the health routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

Status = Literal["healthy", "degraded", "unhealthy", "not_configured"]


@dataclass(frozen=True, slots=True)
class Component:
    """One part: its status, the time of the probe, and a sentence if it is not healthy."""

    status: Annotated[Status, Field(description="Whether the part works.")]
    checked_at: Annotated[datetime, Field(description="The time of the probe (UTC).")]
    message: str | None = None
