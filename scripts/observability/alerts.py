"""The alerts: what is wrong, for how long before somebody is told, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

REQUESTS = "http_request_duration_seconds"
# Streams are as long as their answers.
NO_STREAM = 'route!~".*stream.*"'


@dataclass(frozen=True)
class Alert:
    """An alert. `page` tells somebody at once; others can wait for the next working day."""

    name: str
    expression: str
    lasts: str
    summary: str
    page: bool = False


ALERTS = (
    Alert(
        "ApiMissing",
        "absent(http_requests_active)",
        "2m",
        "No API is scraped. Look at the API containers, and at the targets of Prometheus.",
        page=True,
    ),
    Alert(
        "RequestsFail",
        f'sum(rate({REQUESTS}_count{{status=~"5.."}}[5m])) / sum(rate({REQUESTS}_count[5m])) > 0.01',
        "5m",
        "More than 1 % of all requests fail. The dashboard shows the routes, and the log of the API the errors.",
        page=True,
    ),
    Alert(
        "RequestsSlow",
        f"histogram_quantile(0.95, sum by (le) (rate({REQUESTS}_bucket{{{NO_STREAM}}}[5m]))) > 1",
        "10m",
        "5 % of the requests take more than 1 s. Compare the waits for connections, slots and password hashes.",
    ),
    Alert(
        "RequestsRefused",
        "sum(rate(http_requests_refused_total[5m])) > 0",
        "5m",
        "Requests are refused because too many run and wait. Add API replicas, or look for what is slow.",
    ),
    Alert(
        "DependencyDown",
        "min by (dependency) (dependency_up) == 0",
        "1m",
        "{{ $labels.dependency }} does not respond.",
        page=True,
    ),
    Alert(
        "DatabasePoolFull",
        'sum by (pool) (database_pool_connections{state="checked_out"}) '
        '/ sum by (pool) (database_pool_connections{state="limit"}) > 0.9',
        "5m",
        "More than 90 % of the connections of the pool {{ $labels.pool }} are in use.",
    ),
    Alert(
        "EventLoopBlocked",
        "histogram_quantile(0.99, sum by (le) (rate(event_loop_lag_seconds_bucket[5m]))) > 0.1",
        "5m",
        "The event loop of an API is late by more than 100 ms. Its CPU is exhausted, or code blocks it.",
    ),
    Alert(
        "RedisMemoryLow",
        "max by (server) (redis_memory_used_bytes / redis_memory_limit_bytes) > 0.9",
        "5m",
        "Redis uses more than 90 % of maxmemory. When it is full, logins and tasks get 503.",
        page=True,
    ),
    Alert(
        "NoWorker",
        'max(celery_workers{state="online"}) == 0',
        "2m",
        "No worker runs, so tasks and mail wait.",
        page=True,
    ),
    Alert(
        "WorkerUnresponsive",
        'max(celery_workers{state="unresponsive"}) > 0',
        "5m",
        "A worker has stopped without saying so, or hangs. GET /api/v1/tasks/workers/stats names it.",
    ),
    Alert(
        "QueueLong",
        "max by (queue) (celery_queue_depth) > 1000",
        "10m",
        "More than 1000 tasks wait in the queue {{ $labels.queue }}. Add workers for it.",
    ),
    Alert(
        "TasksDead",
        "max(celery_tasks_parked) > max(celery_tasks_parked offset 15m)",
        "0m",
        "Tasks have failed for good. The dead letter queue in Redis has them with the reason.",
    ),
    Alert(
        "LoginsFail",
        f'sum(rate({REQUESTS}_count{{route="/api/v1/auth/login",status=~"401|429"}}[5m])) > 1',
        "10m",
        "More than one login per second fails. Somebody may be guessing passwords; the log has the networks.",
    ),
    Alert(
        "ProviderFails",
        "max by (provider) (llm_circuit_breaker_open) == 1",
        "5m",
        "The provider {{ $labels.provider }} fails and is skipped.",
    ),
    Alert(
        "ModelsExpensive",
        "sum(increase(llm_cost_usd_total[1h])) > 10",
        "0m",
        "Streams have cost more than 10 dollars in an hour. GET /api/v1/admin/llm/usage names the users.",
    ),
)


def groups() -> list[dict[str, Any]]:
    """Return the groups of a rule file of Prometheus."""
    return [{"name": "inference-core", "rules": [_rule(alert) for alert in ALERTS]}]


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.lasts,
        "labels": {"severity": "page" if alert.page else "ticket"},
        "annotations": {"summary": alert.summary},
    }
