"""The dashboards: which metric is in which row.

A metric that no row names is in the last row of the first dashboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metric_families import Family

WINDOW = "[$__rate_interval]"
LOGIN = 'route="/api/v1/auth/login"'
PANEL_WIDTH = 8
PANEL_HEIGHT = 7
PANELS_IN_A_ROW = 24 // PANEL_WIDTH


@dataclass(frozen=True)
class Panel:
    """A chart: its title and unit, and its queries with the legend of each. `about` names the metrics that it shows."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    text: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row: its title, and its panels. The name of a metric stands for the panel that its kind has."""

    title: str
    panels: tuple[Panel | str, ...]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard: the name of its file, its title, and its rows."""

    name: str
    title: str
    rows: tuple[Row, ...]


def _quantile(share: float, metric: str, labels: str = "") -> str:
    by = ", ".join(filter(None, ("le", labels)))
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{WINDOW})))"


REQUESTS = "http_request_duration_seconds"
ERROR_SHARE = (
    f'sum by (route) (rate({REQUESTS}_count{{status=~"5.."}}{WINDOW})) '
    f"/ sum by (route) (rate({REQUESTS}_count{WINDOW}))"
)
POOL_SHARE = (
    'sum by (pool) (database_pool_connections{state="checked_out"}) '
    '/ sum by (pool) (database_pool_connections{state="limit"})'
)
DASHBOARDS = (
    Dashboard(
        "api",
        "Inference Core: API",
        (
            Row(
                "Requests",
                (
                    Panel(
                        "Requests per second, by route",
                        ((f"sum by (route) (rate({REQUESTS}_count{WINDOW}))", "{{route}}"),),
                        "reqps",
                        about=(REQUESTS,),
                    ),
                    Panel(
                        "Latency, 95th percentile, by route", ((_quantile(0.95, REQUESTS, "route"), "{{route}}"),), "s"
                    ),
                    Panel(
                        "Share of errors (5xx), by route",
                        ((ERROR_SHARE, "{{route}}"),),
                        "percentunit",
                    ),
                    "http_requests_active",
                    "http_requests_waiting",
                    "http_request_wait_seconds",
                    "http_requests_refused",
                    "http_requests_throttled",
                    "event_loop_lag_seconds",
                ),
            ),
            Row(
                "Database and Redis",
                (
                    Panel(
                        "Connections in use, share of the limit, by pool",
                        ((POOL_SHARE, "{{pool}}"),),
                        "percentunit",
                        about=("database_pool_connections",),
                    ),
                    "database_pool_wait_seconds",
                    "database_statement_seconds",
                    "redis_operation_seconds",
                    "redis_memory_used_bytes",
                    "dependency_up",
                ),
            ),
            Row(
                "Accounts",
                (
                    Panel(
                        "Logins per second, by status",
                        ((f"sum by (status) (rate({REQUESTS}_count{{{LOGIN}}}{WINDOW}))", "{{status}}"),),
                        "reqps",
                    ),
                    "password_hash_wait_seconds",
                ),
            ),
        ),
    ),
    Dashboard(
        "tasks",
        "Inference Core: tasks and workers",
        (
            Row(
                "Queues",
                (
                    "celery_queue_depth",
                    "celery_queue_age_seconds",
                    "celery_tasks_running",
                    "celery_tasks_parked",
                    "task_send_seconds",
                ),
            ),
            Row("Workers", ("celery_workers",)),
        ),
    ),
    Dashboard(
        "llm",
        "Inference Core: language models",
        (
            Row(
                "Streams",
                ("llm_streams_active", "llm_time_to_first_token_seconds", "llm_streams_interrupted", "llm_errors"),
            ),
            Row(
                "Tokens and cost",
                (
                    "llm_tokens",
                    Panel(
                        "Cost in dollars per hour, by model",
                        ((f"sum by (model) (rate(llm_cost_usd_total{WINDOW})) * 3600", "{{model}}"),),
                        "currencyUSD",
                        about=("llm_cost_usd",),
                    ),
                    "llm_circuit_breaker_open",
                ),
            ),
        ),
    ),
)


def panel_of(family: Family) -> Panel:
    """Return the panel of a metric: percentiles of a histogram, the rate of a counter, the value of a gauge."""
    by = ", ".join(family.labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in family.labels)
    if family.kind == "histogram":
        queries = tuple(
            (_quantile(share, family.name, by), f"p{share:.0%} {legend}".replace("%", "")) for share in (0.5, 0.95)
        )
        return Panel(family.name, queries, family.unit, family.text)
    if family.kind == "counter":
        of_labels = f"by ({by}) " if by else ""
        query = f"sum {of_labels}(rate({family.name}_total{WINDOW}))"
        return Panel(f"{family.name} per second", ((query, legend or "all"),), family.unit, family.text)
    query = f"{family.combined_by} {f'by ({by}) ' if by else ''}({family.name})"
    return Panel(family.name, ((query, legend or "all"),), family.unit, family.text)


def rendered(families: Mapping[str, Family]) -> dict[str, dict[str, Any]]:
    """Return the dashboards by the name of their file.

    Raises:
        KeyError: A row names a metric that the service does not have.
    """
    named = {metric for one in DASHBOARDS for row in one.rows for panel in row.panels for metric in _metrics(panel)}
    other = Row("Other", tuple(sorted(set(families) - named)))
    found = {}
    for dashboard in DASHBOARDS:
        rows = (*dashboard.rows, other) if dashboard is DASHBOARDS[0] else dashboard.rows
        found[dashboard.name] = _dashboard(dashboard, list(_placed(rows, families)))
    return found


def _metrics(panel: Panel | str) -> Sequence[str]:
    return (panel,) if isinstance(panel, str) else panel.about


def _placed(rows: Sequence[Row], families: Mapping[str, Family]) -> Iterator[dict[str, Any]]:
    top = number = 0
    for row in rows:
        yield {
            "id": (number := number + 1),
            "type": "row",
            "title": row.title,
            "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
        }
        top += 1
        for place, shown in enumerate(row.panels):
            panel = panel_of(families[shown]) if isinstance(shown, str) else shown
            column, line = place % PANELS_IN_A_ROW, place // PANELS_IN_A_ROW
            where = {"x": column * PANEL_WIDTH, "y": top + line * PANEL_HEIGHT, "w": PANEL_WIDTH, "h": PANEL_HEIGHT}
            yield {"id": (number := number + 1), "gridPos": where, **_panel(panel)}
        top += -(-len(row.panels) // PANELS_IN_A_ROW) * PANEL_HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend.strip()}
            for number, (query, legend) in enumerate(panel.queries)
        ],
    }


def _dashboard(dashboard: Dashboard, panels: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "uid": f"inference-core-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["inference-core"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }
