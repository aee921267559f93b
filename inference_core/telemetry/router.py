"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from inference_core.paths import METRICS_PATH
from inference_core.state import StateDep

router = APIRouter(tags=["metrics"])


@router.get(METRICS_PATH, response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request, state: StateDep) -> Response:
    """The metrics of every process of this server, as Prometheus text or OpenMetrics by `Accept`."""
    body, content_type = state.metrics.expose(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})
