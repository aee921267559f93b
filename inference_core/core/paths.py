"""Paths that several modules use."""

from __future__ import annotations

API_PREFIX = "/api/v1"
HEALTH_PREFIX = f"{API_PREFIX}/health"
AUTH_PREFIX = f"{API_PREFIX}/auth"
TASKS_PREFIX = f"{API_PREFIX}/tasks"
LLM_PREFIX = f"{API_PREFIX}/llm"
ADMIN_PREFIX = f"{API_PREFIX}/admin"
METRICS_PATH = "/metrics"

# Monitoring requests must be served under overload, and would fill the log.
PROBES = frozenset({f"{HEALTH_PREFIX}/ping", f"{HEALTH_PREFIX}/live", f"{HEALTH_PREFIX}/ready", METRICS_PATH})
