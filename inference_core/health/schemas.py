"""The responses of the health routes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, create_model

from inference_core.core.feature import FEATURE_NAME, FeatureError, Service
from inference_core.core.health import Component
from inference_core.health.components import PARTS, Overall


class HealthReport(BaseModel):
    """The health of the service and of each of its parts."""

    status: Overall = Field(description="The worst status of the parts.")
    version: str = Field(description="The version of the service.")
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
        **{name: (Component, Field(description=f"The part `{name}`.")) for name in names},  # type: ignore[call-overload]
    )
    return create_model(
        "HealthReport",
        __base__=HealthReport,
        __doc__=HealthReport.__doc__,
        components=(components, Field(description="The parts by name.")),
    )


class DatabaseDetails(BaseModel):
    """The database and this process's connection pool. A number that the pool does not have is null."""

    dialect: str = Field(description="The kind of the database.")
    server_version: str | None = Field(default=None, description="The version of the server.")
    round_trip_ms: float | None = Field(default=None, description="The time of one query.")
    pool_size: int | None = Field(default=None, description="The number of connections that stay open.")
    checked_out: int | None = Field(default=None, description="The number of connections in use.")
    overflow: int | None = Field(default=None, description="The number of further connections.")
    message: str | None = Field(default=None, description="A sentence if the database is not healthy.")


class DatabaseHealth(BaseModel):
    """The result of a round trip to the database."""

    status: Literal["healthy", "unhealthy"] = Field(description="Whether the database responds.")
    details: DatabaseDetails = Field(description="The database and the connection pool.")
    last_updated: datetime = Field(description="The time of the probe (UTC).")


class Ping(BaseModel):
    """The process responds."""

    message: Literal["pong"] = "pong"
    timestamp: datetime
    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")


class Liveness(BaseModel):
    """The process responds."""

    status: Literal["alive"] = Field(default="alive", description="Always `alive`.")


class Readiness(BaseModel):
    """Whether requests should be sent to this process, and the parts that are not ready."""

    status: Literal["ready", "not_ready"] = Field(description="Whether requests should be sent to this process.")
    reasons: list[str] = Field(description="The parts that are not ready.")
