"""The answers of the health routes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from inference_core.health.components import Components, Overall


class HealthReport(BaseModel):
    """The service as a whole and each of its parts."""

    status: Overall
    version: str
    timestamp: datetime
    components: Components


class DatabaseDetails(BaseModel):
    """The database and this process's pool of connections to it; null where the pool has no such number."""

    dialect: str
    server_version: str | None = None
    round_trip_ms: float | None = None
    pool_size: int | None = None
    checked_out: int | None = None
    overflow: int | None = None
    message: str | None = None


class DatabaseHealth(BaseModel):
    """The database's answer to a question asked for this very request."""

    status: Literal["healthy", "unhealthy"]
    details: DatabaseDetails
    last_updated: datetime


class Ping(BaseModel):
    """The process answers."""

    message: Literal["pong"] = "pong"
    timestamp: datetime
    status: Literal["ok"] = "ok"


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether requests should be sent here, and which parts are why not."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]
