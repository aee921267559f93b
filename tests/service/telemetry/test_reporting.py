"""Traces and error reports of a real server with several processes and a real worker, at a receiver of the test's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.accounts import new_registration
from tests.support.processes import wait_until
from tests.support.receiver import ReceivedSpan, Receiver, receiver
from tests.support.service import PREFIX, ApiProcess, api_process, service_env, worker_process

pytestmark = pytest.mark.full

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SECRET = "hunter2secret"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    """A receiver for a service of the test's own."""
    with receiver() as collector:
        yield collector


@pytest.fixture(scope="module")
def reports() -> Iterator[Receiver]:
    """What `api` and its worker have reported since the first test."""
    with receiver() as reports:
        yield reports


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str, reports: Receiver) -> Iterator[ApiProcess]:
    """Two processes of the API, both started, and a worker."""
    folder = tmp_path_factory.mktemp("reporting")
    address = f"127.0.0.1:{reports.port}"
    env = service_env(
        folder,
        redis_url,
        LOG_FORMAT="json",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}",
        OTEL_BSP_SCHEDULE_DELAY="200",
        SENTRY_DSN=f"http://public@{address}/7",
    )
    with worker_process(folder, env), api_process(folder, env, "--workers", "2") as api:
        started = "Application startup complete"
        wait_until(lambda: api.log.read_text().count(started) == 2, within_s=60, what="both processes started")
        yield api


def account_with_secrets() -> dict[str, str]:
    return new_registration(password=SECRET)


def headers_with_secrets(trace: str = TRACE) -> dict[str, str]:
    return {
        "traceparent": f"00-{trace}-{PARENT}-01",
        "Authorization": f"Bearer {SECRET}",
        "Cookie": f"session={SECRET}",
        "X-API-Key": SECRET,
    }


def spans_of(collector: Receiver, trace: str) -> dict[str, ReceivedSpan]:
    return {span.name: span for span in collector.spans() if span.trace_id == trace}


def test_a_request_and_its_task_are_one_trace_with_the_callers(api: ApiProcess, reports: Receiver) -> None:
    body = {"task": "test.add", "args": [1, SECRET]}
    with api.client() as client:
        sent = client.post(f"{PREFIX}/test/submit?token={SECRET}", json=body, headers=headers_with_secrets())
        assert sent.status_code == 202
        task_id = sent.json()["task_id"]
        names = {"POST /api/v1/test/submit", "run test.add"}
        wait_until(lambda: names <= set(spans_of(reports, TRACE)), what="both spans")
    found = spans_of(reports, TRACE)
    request, task = found["POST /api/v1/test/submit"], found["run test.add"]
    assert (request.parent_id, task.parent_id) == (PARENT, request.span_id)
    assert request.attributes["http.route"] == "/api/v1/test/submit"
    assert request.attributes["http.response.status_code"] == 202
    assert task.attributes["messaging.message.id"] == task_id
    assert SECRET.encode() not in reports.everything
    wait_until(lambda: f'"trace_id": "{TRACE}"' in api.log.read_text(), what="the trace in the log")


def test_spans_carry_the_template_of_the_route_and_probes_have_none(api: ApiProcess, reports: Receiver) -> None:
    traces = [f"{number:032x}" for number in range(1, 21)]
    for trace in traces:
        headers = {"traceparent": f"00-{trace}-{PARENT}-01"}
        with api.client() as client:  # a connection for each, so that both processes are asked
            assert client.get(f"{PREFIX}/health/ping", headers=headers).status_code == 200
            assert client.get(f"{PREFIX}/tasks/{trace}/status", headers=headers).status_code == 404
    wait_until(lambda: {span.trace_id for span in reports.spans()} >= set(traces), what="every trace exported")
    for trace in traces:
        assert set(spans_of(reports, trace)) == {"GET /api/v1/tasks/{task_id}/status"}


def test_the_last_spans_are_sent_before_the_process_ends(tmp_path: Path, redis_url: str, collector: Receiver) -> None:
    env = service_env(
        tmp_path,
        redis_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
        OTEL_BSP_SCHEDULE_DELAY="600000",
    )
    with api_process(tmp_path, env) as api:
        api.get("/health/database")
    assert "GET /api/v1/health/database" in {span.name for span in collector.spans()}


def test_an_unexpected_error_is_reported_once_without_what_was_sent(api: ApiProcess, reports: Receiver) -> None:
    before = len(reports.sentry_events())
    with api.client() as client:
        answer = client.post(
            f"{PREFIX}/test/break/{'7' * 3}?token={SECRET}",
            json=account_with_secrets(),
            headers=headers_with_secrets(),
        )
    assert answer.status_code == 500

    def events() -> list[dict[str, Any]]:
        """Without what the worker makes of messages that other tests left in the queue."""
        return [event for event in reports.sentry_events()[before:] if '"type": "celery"' not in json.dumps(event)]

    wait_until(events, what="the event")
    with api.client() as client:
        client.post(f"{PREFIX}/test/break/777", json={})
    wait_until(lambda: len(events()) >= 2, what="the second event")
    first, second = events()[:2]
    assert len(events()) == 2, "one event for each error"
    for event in (first, second):
        assert event["exception"]["values"][-1]["type"] == "RuntimeError"
        assert event["transaction"] == "/api/v1/test/break/{number}"
        assert event["environment"] == "testing"
        assert not {"cookies", "query_string"} & set(event["request"])
    assert SECRET.encode() not in reports.everything


def test_a_failed_task_is_reported_without_its_arguments(api: ApiProcess, reports: Receiver) -> None:
    before = len(reports.sentry_events())
    body = {"task": "test.break", "args": [SECRET]}
    with api.client() as client:
        assert client.post(f"{PREFIX}/test/submit", json=body).status_code == 202
    wait_until(lambda: reports.sentry_events()[before:], what="the event")
    (event,) = reports.sentry_events()[before:]
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"
    assert event["transaction"] == "test.break"
    assert SECRET.encode() not in reports.everything


def test_without_reporting_nothing_is_traced(tmp_path: Path, redis_url: str, collector: Receiver) -> None:
    with api_process(tmp_path, service_env(tmp_path, redis_url)) as api, httpx2.Client(trust_env=False) as client:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert client.get(f"{api.url}{PREFIX}/health/database", headers=headers).status_code == 200
        assert re.search(r"opentelemetry|sentry", api.log.read_text(), re.IGNORECASE) is None
    assert collector.requests == []
