"""The health routes of a service that is well, and who may see the monitoring routes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from inference_core.core.health import Component
from inference_core.health.components import overall
from tests.service.conftest import AppFactory
from tests.support.service import PREFIX, ApiProcess, api_process, service_env


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("service")
    with api_process(folder, service_env(folder, redis_url)) as api:
        yield api


def test_health_names_every_part_and_when_it_was_seen(api: ApiProcess) -> None:
    response = api.get("/health/")
    body = response.json()
    assert response.status_code == 200
    assert body.keys() >= {"status", "version", "timestamp", "components"}
    assert set(body["components"]) == {"database", "application", "redis", "tasks", "llm"}
    for component in body["components"].values():
        assert component["status"] in {"healthy", "degraded", "unhealthy", "not_configured"}
        assert component["checked_at"]
    assert body["components"]["database"]["status"] == "healthy"
    assert body["status"] == "degraded", "no worker runs"


def test_database_health_tells_the_pool_and_no_secret(api: ApiProcess) -> None:
    response = api.get("/health/database")
    details = response.json()["details"]
    assert (response.status_code, response.json()["status"]) == (200, "healthy")
    assert (details["dialect"], details["pool_size"], details["checked_out"]) == ("sqlite", 10, 0)
    assert 0 < details["round_trip_ms"] < 1000
    assert details["server_version"]
    assert ".db" not in response.text


def test_database_health_asks_each_time(api: ApiProcess) -> None:
    seen = {api.get("/health/database").json()["details"]["round_trip_ms"] for _ in range(5)}
    assert len(seen) > 1


def test_ping_live_and_ready(api: ApiProcess) -> None:
    ping = api.get("/health/ping").json()
    assert (ping["message"], ping["status"]) == ("pong", "ok")
    assert ping["timestamp"]
    assert api.get("/health/live").json() == {"status": "alive"}
    assert api.get("/health/ready").json() == {"status": "ready", "reasons": []}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "healthy"),
        ({"llm": "not_configured"}, "healthy"),
        ({"redis": "unhealthy"}, "degraded"),
        ({"tasks": "degraded"}, "degraded"),
        ({"application": "degraded"}, "degraded"),
        ({"database": "unhealthy"}, "unhealthy"),
        ({"database": "unhealthy", "redis": "unhealthy"}, "unhealthy"),
    ],
)
def test_one_word_for_all_parts(api: ApiProcess, changes: dict[str, Any], expected: str) -> None:
    names = ("database", "application", "redis", "tasks", "llm")
    now = datetime.now(UTC)
    assert overall({name: Component(changes.get(name, "healthy"), now) for name in names}) == expected


MONITORING = ("/tasks/health", "/tasks/workers/stats", "/tasks/active")


@pytest.mark.anyio
@pytest.mark.parametrize(("access", "as_user"), [("public", 200), ("user", 200), ("superuser", 403)])
async def test_monitoring_access(access: str, as_user: int, start_app: AppFactory) -> None:
    async with start_app(monitoring_access=access) as app:
        tokens = await app.login(await app.register())
        for path in MONITORING:
            assert (await app.get(path)).status_code == (200 if access == "public" else 401)
            assert (await app.get(path, tokens)).status_code == as_user


def test_task_belongs_to_its_submitter(api: ApiProcess) -> None:
    with api.client() as client:
        people = []
        for _ in range(2):
            name = f"u{uuid4().hex[:10]}"
            account = {"username": name, "email": f"{name}@example.com", "password": "correct horse 7"}
            user = client.post(f"{PREFIX}/auth/register", json=account).json()
            tokens = client.post(f"{PREFIX}/auth/login", json=account).json()
            people.append((user["id"], {"Authorization": f"Bearer {tokens['access_token']}"}))
        (owner, owners), (_, strangers) = people
        body = {"task": "test.add", "args": [1, 2], "owner": owner}
        task_id = client.post(f"{PREFIX}/test/submit", json=body).json()["task_id"]
        path = f"{PREFIX}/tasks/{task_id}/status"
        assert client.get(path, headers=owners).json()["status"] == "PENDING"
        assert client.get(path, headers=strangers).status_code == 404
        assert client.get(path).status_code == 404
        assert client.delete(f"{PREFIX}/tasks/{task_id}", headers=strangers).status_code == 404
        assert client.delete(f"{PREFIX}/tasks/{task_id}", headers=owners).json()["cancelled"] is True


@pytest.mark.parametrize("path", ["/health/ping", "/health/", "/health/database", "/tasks/health", "/no/such/route"])
def test_a_request_leaves_nothing_for_the_garbage_collector(api: ApiProcess, path: str) -> None:
    requests = 200
    with api.client() as client:
        client.get(f"{PREFIX}{path}")
        before = client.get(f"{PREFIX}/test/garbage").json()
        for _ in range(requests):
            client.get(f"{PREFIX}{path}")
        left = client.get(f"{PREFIX}/test/garbage").json() - before
    # What runs in the background leaves some.
    assert left < requests
