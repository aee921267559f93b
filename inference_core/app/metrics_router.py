"""`GET /metrics` for Prometheus."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request, Response

from inference_core.core.exceptions import NotAuthenticatedError
from inference_core.core.paths import METRICS_PATH
from inference_core.core.problems import responses_for
from inference_core.core.settings import Settings
from inference_core.core.state import state_of
from inference_core.core.telemetry.runtime import RuntimeMetrics, collect_memory


def metrics_router(settings: Settings) -> APIRouter:
    """Return the router of the metrics.

    `METRICS_ACCESS` allows everybody or only bearers of `METRICS_TOKEN`. Without a required token, there is no route.
    """
    router = APIRouter(tags=["metrics"])
    guarded = settings.effective_metrics_access == "token"
    token = settings.metrics_token.get_secret_value()
    if guarded and not token:
        return router
    expected = f"Bearer {token}".encode()
    refused = responses_for(NotAuthenticatedError) if guarded else {}

    @router.get(METRICS_PATH, response_class=Response, responses={200: {"content": {"text/plain": {}}}, **refused})
    async def metrics(request: Request) -> Response:
        """Return the metrics of all processes of this server. `Accept` selects Prometheus text or OpenMetrics.

        With METRICS_COLLECT, `?collect=1` first collects garbage in the process that answers.
        """
        headers = request.headers
        if guarded and not hmac.compare_digest(headers.get("authorization", "").encode(), expected):
            raise NotAuthenticatedError
        state = state_of(request)
        if settings.metrics_collect and request.query_params.get("collect") == "1":
            collect_memory()
            state.metrics.feature(RuntimeMetrics).set_now()
        state.set_gauges()
        body, content_type = state.metrics.expose(headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return router
