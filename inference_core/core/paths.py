"""Paths that several modules use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

API_PREFIX = "/api/v1"
HEALTH_PREFIX = f"{API_PREFIX}/health"
AUTH_PREFIX = f"{API_PREFIX}/auth"
TASKS_PREFIX = f"{API_PREFIX}/tasks"
LLM_PREFIX = f"{API_PREFIX}/llm"
ADMIN_PREFIX = f"{API_PREFIX}/admin"
METRICS_PATH = "/metrics"

# Monitoring requests must be served under overload, and would fill the log.
PROBES = frozenset({f"{HEALTH_PREFIX}/ping", f"{HEALTH_PREFIX}/live", f"{HEALTH_PREFIX}/ready", METRICS_PATH})
UNMATCHED = "unmatched"


def route_template(scope: Mapping[str, Any]) -> str:
    """Return the complete path template of the route in an ASGI scope, or `UNMATCHED`.

    The path itself would allow callers to create any number of time series and counters. FastAPI keeps the complete
    template in the scope only while the route is served, so call this before the response has started.
    """
    context = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path = getattr(context, "path", None)
    return path if isinstance(path, str) else UNMATCHED
