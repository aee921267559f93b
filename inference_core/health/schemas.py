"""The responses of the health routes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, create_model

from inference_core.core.feature import FEATURE_NAME, FeatureError, Service
from inference_core.core.health import Component
from inference_core.health.components import PARTS, Overall


class HealthReport(BaseModel):
    """The health of the service and of each of its parts."""

    status: Overall
    version: str
    timestamp: datetime


def health_report(service: Service) -> type[HealthReport]:
    """Return the report of a service, with a field for each of its parts.

    Raises:
        FeatureError: A part of a feature has an invalid name, or that of a part of every service.
    """
    for part in (part for feature in service.features for part in feature.health):
        if part.name in PARTS or not FEATURE_NAME.fullmatch(part.name):
            raise FeatureError(f"health part {part.name!r}: the name is not valid, or every service has this part")
    names = (*PARTS, *(part.name for feature in service.features for part in feature.health))
    components = create_model(
        "Components",
        __doc__="All parts by name.",
        **dict.fromkeys(names, (Component, ...)),  # type: ignore[call-overload]
    )
    return create_model(
        "HealthReport", __base__=HealthReport, __doc__=HealthReport.__doc__, components=(components, ...)
    )


class DatabaseDetails(BaseModel):
    """The database and this process's connection pool. A number that the pool does not have is null."""

    dialect: str
    server_version: str | None = None
    round_trip_ms: float | None = None
    pool_size: int | None = None
    checked_out: int | None = None
    overflow: int | None = None
    message: str | None = None


class DatabaseHealth(BaseModel):
    """The result of a round trip to the database."""

    status: Literal["healthy", "unhealthy"]
    details: DatabaseDetails
    last_updated: datetime


class Ping(BaseModel):
    """The process responds."""

    message: Literal["pong"] = "pong"
    timestamp: datetime
    status: Literal["ok"] = "ok"


class Liveness(BaseModel):
    """The process responds."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Whether requests should be sent to this process, and the parts that are not ready."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]
