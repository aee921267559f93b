"""Paths that more than one module must know."""

from __future__ import annotations

API_PREFIX = "/api/v1"
HEALTH_PREFIX = f"{API_PREFIX}/health"
AUTH_PREFIX = f"{API_PREFIX}/auth"
TASKS_PREFIX = f"{API_PREFIX}/tasks"
LLM_PREFIX = f"{API_PREFIX}/llm"
ADMIN_PREFIX = f"{API_PREFIX}/admin"
METRICS_PATH = "/metrics"

# What watches the service must be answered when it is busiest, and would fill its log.
PROBES = frozenset({f"{HEALTH_PREFIX}/ping", f"{HEALTH_PREFIX}/live", f"{HEALTH_PREFIX}/ready", METRICS_PATH})
