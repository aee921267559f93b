"""Metrics and access log of a real server, with one process and with several."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from inference_core.core.settings import SettingsError
from inference_core.core.telemetry.reporting import configure_reporting
from tests.support.processes import wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings
from tests.support.stack import clean_environment


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("service")
    with api_process(folder, service_env(folder, redis_url, LOG_FORMAT="json")) as api:
        yield api


def metrics(api: ApiProcess, accept: str = "text/plain") -> str:
    with api.client() as client:
        return client.get("/metrics", headers={"Accept": accept}).text


def requests_to(api: ApiProcess, route: str) -> int:
    pattern = rf'^http_request_duration_seconds_count{{method="GET",route="{re.escape(route)}",status="\d+"}} (\S+)$'
    return sum(int(float(count)) for count in re.findall(pattern, metrics(api), re.MULTILINE))


def log_lines(api: ApiProcess) -> list[dict[str, Any]]:
    lines = (line for line in api.log.read_text().splitlines() if line.startswith("{"))
    return [record for line in lines if (record := json.loads(line))["event"] == "request"]


def test_requests_are_counted_by_route_template(api: ApiProcess) -> None:
    for number in range(3):
        api.get(f"/tasks/{number}/status")
    assert requests_to(api, "/api/v1/tasks/{task_id}/status") == 3
    for number in range(3):
        api.get(f"/no/such/{number}")
    assert requests_to(api, "unmatched") >= 3
    assert "/no/such" not in metrics(api)


def test_metrics_speak_both_dialects_and_tell_of_every_part(api: ApiProcess) -> None:
    with api.client() as client:
        plain = client.get("/metrics")
        open_metrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")
    for name in (
        "database_pool_connections",
        'database_pool_wait_seconds_count{pool="read"}',
        "event_loop_lag_seconds_bucket",
        "dependency_up",
        "celery_queue_depth",
        'celery_queue_age_seconds{queue="default"}',
        'celery_tasks_running{queue="default"}',
        "celery_workers",
        "http_requests_refused_total",
    ):
        assert name in plain.text, name


def test_metrics_are_text_for_whoever_asks_for_a_version_that_is_none(api: ApiProcess) -> None:
    with api.client() as client:
        for kind in ("application/openmetrics-text", "text/plain"):
            for version in ("abc", "1..0", "", '1.0.0"', "9" * 5000, ";;", "1.0.0; escaping=abc; q=x", "-1.0.0"):
                answer = client.get("/metrics", headers={"Accept": f"{kind};version={version}"})
                assert answer.status_code == 200, version
                assert "http_requests_active" in answer.text


STARTED = "Application startup complete"


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[ApiProcess]:
    """An API of two processes, both started."""
    folder = tmp_path_factory.mktemp("processes")
    with api_process(folder, service_env(folder, redis_url), "--workers", "2") as api:
        wait_until(lambda: api.log.read_text().count(STARTED) == 2, within_s=60, what="both processes started")
        yield api


@pytest.mark.full
def test_several_processes_answer_for_all(processes: ApiProcess) -> None:
    before = requests_to(processes, "/api/v1/health/")
    for _ in range(30):
        processes.get("/health/")
    # Which process answers each call is chance; the sum is not.
    assert [requests_to(processes, "/api/v1/health/") - before for _ in range(6)] == [30] * 6


@pytest.mark.full
def test_limits_and_memory_are_summed_over_the_processes(processes: ApiProcess, api: ApiProcess) -> None:
    limit = 'database_pool_connections{pool="read",state="limit"} 30.0'
    wait_until(lambda: limit in metrics(processes), what="the limits of both pools")
    one, two = (
        float(blocks)
        for each in (api, processes)
        for blocks in re.findall(r"^python_allocated_blocks (\S+)$", metrics(each), re.MULTILINE)
    )
    assert two > 1.5 * one


@pytest.mark.full
def test_a_process_that_was_killed_leaves_no_gauges(processes: ApiProcess) -> None:
    size = 'database_pool_connections{pool="read",state="size"}'
    wait_until(lambda: f"{size} 20.0" in metrics(processes))
    children = psutil.Process(processes.pid).children()
    served = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    starts = processes.log.read_text().count(STARTED)
    served[0].kill()
    wait_until(lambda: processes.log.read_text().count(STARTED) > starts, within_s=60, what="another in its place")
    wait_until(lambda: f"{size} 20.0" in metrics(processes))


@pytest.mark.parametrize(
    ("folder", "refused"),
    [
        ("/dev/null", True),
        pytest.param("", False, marks=pytest.mark.full),
        pytest.param("/proc/nothing", True, marks=pytest.mark.full),
    ],
)
def test_a_folder_for_metrics_that_cannot_be_is_one_line(
    folder: str, refused: bool, tmp_path: Path, redis_url: str
) -> None:
    env = service_env(tmp_path, redis_url) | {"PROMETHEUS_MULTIPROC_DIR": folder}
    if refused:
        command = [sys.executable, "-c", "import inference_core.main"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"settings: PROMETHEUS_MULTIPROC_DIR is {folder}, ")
        assert len(done.stderr.splitlines()) == 1
        return
    with api_process(tmp_path, env) as api:
        assert "http_request_duration_seconds" in metrics(api)


@pytest.mark.full
def test_a_task_logs_in_json_with_the_ids_of_the_request_that_sent_it(tmp_path: Path, redis_url: str) -> None:
    env = service_env(tmp_path, redis_url, LOG_FORMAT="json")
    with api_process(tmp_path, env) as api, worker_process(tmp_path, env, "logs") as worker, api.client() as client:
        headers = {"X-Request-ID": "asked-for-it", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        body = {"task": "test.add", "args": [1, 2]}
        task_id = client.post(f"{PREFIX}/test/submit", json=body, headers=headers).json()["task_id"]
        # Tasks that other tests left in the queue may succeed first.
        wait_until(lambda: re.search(rf"{task_id}.*succeeded.*\n", worker.log.read_text()))
        lines = worker.log.read_text().splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        (done,) = [record for record in records if "succeeded" in record["event"] and task_id in record["event"]]
        assert (done["task_id"], done["request_id"], done["trace_id"]) == (task_id, "asked-for-it", "ab" * 16)


def test_access_log_has_one_json_line_for_each_request(api: ApiProcess) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "my-request-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    with api.client() as client:
        response = client.get(f'{PREFIX}/tasks/a"b/status?secret=hunter2', headers=headers)
    assert response.headers["x-request-id"] == "my-request-1"
    wait_until(lambda: any(line["request_id"] == "my-request-1" for line in log_lines(api)), what="the line written")
    (line,) = (line for line in log_lines(api) if line["request_id"] == "my-request-1")
    assert (line["method"], line["status"], line["trace_id"]) == ("GET", 404, trace)
    assert (line["path"], line["route"]) == ('/api/v1/tasks/a"b/status', "/api/v1/tasks/{task_id}/status")
    assert line["duration_ms"] > 0
    assert line["ip"] == "127.0.0.1"
    assert "hunter2" not in api.log.read_text()


def test_a_line_of_the_log_is_not_as_long_as_its_path(api: ApiProcess) -> None:
    with api.client() as client:
        assert client.get("/" + "%C3%A9" * 1000, headers={"X-Request-ID": "long-path"}).status_code == 404
    wait_until(lambda: any(line["request_id"] == "long-path" for line in log_lines(api)), what="the line written")
    (line,) = (line for line in log_lines(api) if line["request_id"] == "long-path")
    assert line["path"] == f"/{'é' * 255}… (1001 characters)"


def test_request_ids_that_would_not_fit_a_log_are_replaced(api: ApiProcess) -> None:
    with api.client() as client:
        for bad in ("x" * 65, 'a"b', "a b"):
            given = client.get(f"{PREFIX}/health/ping", headers={"X-Request-ID": bad}).headers["x-request-id"]
            assert re.fullmatch(r"[0-9a-f]{16}", given)


def test_probes_that_succeed_are_not_logged(api: ApiProcess) -> None:
    api.get("/health/ping")
    api.get("/health/database")
    wait_until(lambda: any(line["path"].endswith("/health/database") for line in log_lines(api)))
    assert not any(line["path"].endswith("/health/ping") for line in log_lines(api))


def test_user_id_is_in_the_log_of_an_authenticated_request(api: ApiProcess) -> None:
    account = {"username": "logged7", "email": "logged7@example.com", "password": "correct horse 7"}
    with api.client() as client:
        user = client.post(f"{PREFIX}/auth/register", json=account).json()
        token = client.post(f"{PREFIX}/auth/login", json=account).json()["access_token"]
        client.get(f"{PREFIX}/auth/me", headers={"Authorization": f"Bearer {token}"})
    wait_until(lambda: any(line["user_id"] == user["id"] for line in log_lines(api)), what="the user's id logged")


@pytest.mark.parametrize(
    ("field", "value", "package"),
    [
        ("sentry_dsn", "https://key@localhost/1", "sentry_sdk"),
        ("otel_exporter_otlp_endpoint", "http://localhost:4318", "opentelemetry.sdk.trace"),
    ],
)
def test_reporting_without_its_packages_is_one_clear_line(
    field: str, value: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(SettingsError, match=rf"{field.upper()} is set, but its packages are not installed"):
        configure_reporting(Settings(_env_file=None, **{field: value}))
    assert configure_reporting(Settings(_env_file=None)) is False


@pytest.mark.parametrize(("level", "is_quiet"), [("INFO", True), ("DEBUG", False)])
def test_news_of_the_pools_are_for_debug(level: str, is_quiet: bool) -> None:
    program = (
        "import logging\n"
        "from inference_core.core.db.pool import TimedPool\n"
        "from inference_core.core.logging import configure_logging\n"
        "from inference_core.core.settings import Settings, load_settings\n"
        "configure_logging(load_settings(Settings))\n"
        "print(logging.getLogger(f'{TimedPool.__module__}.{TimedPool.__name__}').isEnabledFor(logging.INFO))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(LOG_LEVEL=level),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == [str(not is_quiet)]
