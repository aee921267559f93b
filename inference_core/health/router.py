"""`/api/v1/health`: the health routes for people, monitors and orchestrators."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from inference_core import __version__
from inference_core.core.db.pool import pool_numbers
from inference_core.core.feature import Service
from inference_core.core.paths import HEALTH_PREFIX
from inference_core.core.settings import Settings
from inference_core.core.state import state_of
from inference_core.health.components import overall
from inference_core.health.database_probe import DatabaseDownError
from inference_core.health.schemas import DatabaseDetails, DatabaseHealth, Liveness, Ping, Readiness, health_report
from inference_core.health.watch import HealthWatch


def _also_503(model: type[Any]) -> dict[int | str, dict[str, Any]]:
    return {
        HTTPStatus.SERVICE_UNAVAILABLE: {
            "model": model,
            "description": "The same document, if the status is not healthy.",
        }
    }


def hot_routers(service: Service, _: Settings) -> list[APIRouter]:
    """Return the health routes of a service, ordered by how often monitors poll them."""
    report = health_report(service)
    router = APIRouter(prefix=HEALTH_PREFIX, tags=["health"])

    @router.get("/ping")
    async def ping() -> Ping:
        """Return a constant response."""
        return Ping(timestamp=datetime.now(UTC))

    @router.get("/", response_model=report, responses=_also_503(report))
    async def health(request: Request, response: Response) -> Any:  # a model of this service's parts
        """Return the health of the service and its parts, as of the latest background probes."""
        components = state_of(request).of(HealthWatch).components()
        status = overall(components)
        if status == "unhealthy":
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return report(status=status, version=__version__, timestamp=datetime.now(UTC), components=components)

    @router.get("/database", responses=_also_503(DatabaseHealth))
    async def database_health(request: Request, response: Response) -> DatabaseHealth:
        """Make one round trip to the database."""
        state = state_of(request)
        probe = state.of(HealthWatch).probe
        pool = pool_numbers(state.database.engine.pool)
        try:
            answer = await probe.ask()
        except DatabaseDownError as error:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            details = DatabaseDetails(dialect=probe.dialect, message=error.detail, **pool)
            return DatabaseHealth(status="unhealthy", details=details, last_updated=datetime.now(UTC))
        details = DatabaseDetails(
            dialect=answer.dialect, server_version=answer.server_version, round_trip_ms=answer.round_trip_ms, **pool
        )
        return DatabaseHealth(status="healthy", details=details, last_updated=datetime.now(UTC))

    @router.get("/live")
    async def live() -> Liveness:
        """Return that the process responds."""
        return Liveness()

    @router.get("/ready", responses=_also_503(Readiness))
    async def ready(request: Request, response: Response) -> Readiness:
        """Return whether requests should be sent to this process.

        It is not ready without its database and while it shuts down.
        """
        reasons = state_of(request).of(HealthWatch).not_ready_because()
        if reasons:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(status="not_ready" if reasons else "ready", reasons=reasons)

    return [router]
