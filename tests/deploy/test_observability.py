"""Test the dashboards and the alerts: that they are what the script writes, and that their metrics exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.deploy_tools import DEPLOY, TOOLS, debian_tool, deploy_tool, output_of
from tests.support.service import api_process, service_env
from tests.support.stack import ROOT

RULES = DEPLOY / "observability" / "rules.yaml"
DASHBOARDS = sorted((DEPLOY / "observability" / "dashboards").glob("*.json"))
SCALING = DEPLOY / "kubernetes" / "overlays" / "production" / "autoscaling.yaml"
# What Prometheus adds.
OF_PROMETHEUS = {"le", "namespace", "instance", "job"}

REQUESTS = "http_request_duration_seconds"
HEALTHY = {
    "http_requests_active": "1x60",
    f'{REQUESTS}_count{{route="/api/v1/auth/login",status="200"}}': "0+60x60",
    f'{REQUESTS}_bucket{{route="/api/v1/auth/login",le="0.05"}}': "0+60x60",
    f'{REQUESTS}_bucket{{route="/api/v1/auth/login",le="5.0"}}': "0+60x60",
    f'{REQUESTS}_bucket{{route="/api/v1/auth/login",le="+Inf"}}': "0+60x60",
    # A stream is long, and that is no fault.
    f'{REQUESTS}_bucket{{route="/api/v1/llm/{{task}}/stream",le="5.0"}}': "0+0x60",
    f'{REQUESTS}_bucket{{route="/api/v1/llm/{{task}}/stream",le="+Inf"}}': "0+600x60",
    "http_requests_refused_total": "0+0x60",
    'dependency_up{dependency="database"}': "1x60",
    'database_pool_connections{pool="read",state="checked_out"}': "3x60",
    'database_pool_connections{pool="read",state="limit"}': "15x60",
    'event_loop_lag_seconds_bucket{le="0.001"}': "0+3000x60",
    'event_loop_lag_seconds_bucket{le="0.5"}': "0+3000x60",
    'event_loop_lag_seconds_bucket{le="+Inf"}': "0+3000x60",
    'redis_memory_used_bytes{server="REDIS_URL"}': "100x60",
    'redis_memory_limit_bytes{server="REDIS_URL"}': "400x60",
    'celery_workers{state="online"}': "3x60",
    'celery_workers{state="unresponsive"}': "0x60",
    'celery_queue_depth{queue="mail"}': "10x60",
    "celery_tasks_parked": "5x60",
    'llm_circuit_breaker_open{provider="near"}': "0x60",
    'llm_cost_usd_total{provider="near",model="small"}': "0+0.01x60",
}
"""The series of a service without a fault: values once a minute for an hour."""

LOGIN_REFUSED = f'{REQUESTS}_count{{route="/api/v1/auth/login",status="401"}}'
LOGIN_BUCKET = f'{REQUESTS}_bucket{{route="/api/v1/auth/login",le="0.05"}}'
FAULTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ApiMissing": ({"http_requests_active": "_x60"}, {}),
    "RequestsFail": ({f'{REQUESTS}_count{{route="/",status="503"}}': "0+1x60"}, {}),
    "RequestsSlow": ({LOGIN_BUCKET: "0+0x60"}, {}),
    "RequestsRefused": ({"http_requests_refused_total": "0+1x60"}, {}),
    "DependencyDown": ({'dependency_up{dependency="database"}': "0x60"}, {"dependency": "database"}),
    "DatabasePoolFull": ({'database_pool_connections{pool="read",state="checked_out"}': "15x60"}, {"pool": "read"}),
    "EventLoopBlocked": ({'event_loop_lag_seconds_bucket{le="0.001"}': "0+2900x60"}, {}),
    "RedisMemoryLow": ({'redis_memory_used_bytes{server="REDIS_URL"}': "390x60"}, {"server": "REDIS_URL"}),
    "NoWorker": ({'celery_workers{state="online"}': "0x60"}, {}),
    "WorkerUnresponsive": ({'celery_workers{state="unresponsive"}': "1x60"}, {}),
    "QueueLong": ({'celery_queue_depth{queue="mail"}': "2000x60"}, {"queue": "mail"}),
    "TasksDead": ({"celery_tasks_parked": "5x20 6x39"}, {}),
    "LoginsFail": ({LOGIN_REFUSED: "0+90x60"}, {}),
    "ProviderFails": ({'llm_circuit_breaker_open{provider="near"}': "1x60"}, {"provider": "near"}),
    "ModelsExpensive": ({'llm_cost_usd_total{provider="near",model="small"}': "0+1x60"}, {}),
}
"""The series that a fault changes, and the labels that its alert has."""

# The middle of an hour: after the longest wait of an alert, and soon after tasks have died.
AT = "30m"


def alerts() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def queries() -> list[str]:
    """Return every query of the dashboards, alerts and autoscalers, as Prometheus gets it."""
    found = [rule["expr"] for rule in alerts().values()]
    for path in DASHBOARDS:
        found += [
            target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel.get("targets", [])
        ]
    for part in yaml.safe_load_all(SCALING.read_text()):
        found += [trigger["metadata"]["query"] for trigger in part["spec"].get("triggers", [])]
    return [query.replace("$__rate_interval", "5m") for query in found]


@pytest.mark.process
def test_the_files_are_those_that_the_script_writes(tmp_path: Path) -> None:
    output_of(sys.executable, ROOT / "scripts" / "observability", tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert len(written) == len(DASHBOARDS) + 2
    for path in written:
        assert (tmp_path / path).read_text() == (DEPLOY / path).read_text(), f"{path}: run scripts/observability"


def test_panels_do_not_overlap() -> None:
    for path in DASHBOARDS:
        places = [panel["gridPos"] for panel in json.loads(path.read_text())["panels"]]
        covered = [
            (column, line)
            for place in places
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        ]
        assert len(covered) == len(set(covered)), path.name


def selectors(queries: list[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics of queries, and the labels by which they are selected, as a parser of PromQL reads them."""
    code = """
import json, sys, promql_parser as p
def walk(node, out):
    if node is None: return
    name = type(node).__name__
    if name == "VectorSelector": out.append((node.name, [m.name for m in node.matchers.matchers]))
    for part in ("expr", "lhs", "rhs", "vector_selector"):
        if hasattr(node, part): walk(getattr(node, part), out)
    for part in getattr(node, "args", None) or []: walk(part, out)
found = []
for query in json.load(sys.stdin):
    before = len(found)
    walk(p.parse(query), found)
    assert len(found) > before, query
print(json.dumps(found))
"""
    deploy_tool("python")
    done = subprocess.run(
        [TOOLS / "python", "-c", code], input=json.dumps(queries), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name, labels in json.loads(done.stdout):
        yield name, set(labels)


@pytest.fixture
def metrics(redis_url: str, tmp_path: Path) -> str:
    """What a started service exposes after some requests."""
    env = service_env(tmp_path, redis_url, DATABASE_URL=f"sqlite:///{tmp_path / 'service.db'}")
    with api_process(tmp_path, env, app="inference_core.main:app") as api, httpx2.Client(base_url=api.url) as client:
        login = {"username": "nobody", "password": "correct horse 7"}
        assert client.post("/api/v1/auth/login", json=login).status_code == HTTPStatus.UNAUTHORIZED
        assert client.post("/api/v1/llm/explain/stream", json={"question": "Why?"}).status_code == HTTPStatus.OK
        return client.get("/metrics").text


@pytest.mark.full
@pytest.mark.process
def test_every_metric_of_every_query_exists(metrics: str) -> None:
    families = list(text_string_to_metric_families(metrics))
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    known = {family.name + suffix: family for family in families for suffix in suffixes[family.type]}
    for name, labels in selectors(queries()):
        assert name in known, name
        present = {label for sample in known[name].samples for label in sample.labels}
        # A family without a sample says nothing about its labels.
        assert not present or labels - OF_PROMETHEUS <= present, (name, labels)


@pytest.mark.full
@pytest.mark.process
def test_prometheus_accepts_the_rules_and_the_configuration(tmp_path: Path) -> None:
    promtool = debian_tool("promtool", "prometheus")
    output_of(promtool, "check", "rules", RULES)
    configuration = (DEPLOY / "observability" / "prometheus.yaml").read_text()
    token = tmp_path / "token"
    token.write_text("token")
    (tmp_path / "rules.yaml").write_text(RULES.read_text())
    (tmp_path / "prometheus.yaml").write_text(configuration.replace("/tmp/metrics-token", str(token)))  # noqa: S108
    output_of(promtool, "check", "config", tmp_path / "prometheus.yaml")


def expected(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """Return the alert as promtool expects it."""
    rule = alerts()[name]
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda match: labels[match[1]], rule["annotations"]["summary"])
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": {"summary": summary}}


@pytest.mark.full
@pytest.mark.process
def test_each_fault_has_its_alert_and_no_other(tmp_path: Path) -> None:
    assert FAULTS.keys() == alerts().keys()
    cases: list[tuple[str, dict[str, str], dict[str, str]]] = [("", {}, {})]
    cases += [(name, changed, labels) for name, (changed, labels) in FAULTS.items()]
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": key, "values": value} for key, value in (HEALTHY | changed).items()],
            "alert_rule_test": [
                {"eval_time": AT, "alertname": name, "exp_alerts": [expected(name, labels)] if name == fault else []}
                for name in alerts()
            ],
        }
        for fault, changed, labels in cases
    ]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    output_of(debian_tool("promtool", "prometheus"), "test", "rules", tmp_path / "test.yaml")
