"""Tasks start, expire and are retried by Redis' clock, whatever the clocks of the senders and workers say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from inference_core.core.queue.app import create_celery
from inference_core.core.queue.submissions import task_key
from tests.service.faults.conftest import OwnRedis
from tests.support.processes import keys_of_service, wait_until
from tests.support.service import PREFIX, ApiProcess, ServiceProcess, api_process, service_env, worker_process
from tests.support.settings import Settings, service
from tests.support.shifted_clock import shifted_clock

pytestmark = pytest.mark.full

HOURS = 25
WARNING = f"{HOURS * 3600} s %s the clock of Redis"


@pytest.fixture
def env(tmp_path: Path, own_redis: OwnRedis) -> dict[str, str]:
    return service_env(tmp_path / "service", own_redis.url)


@pytest.fixture
def api(tmp_path: Path, env: dict[str, str]) -> Iterator[ApiProcess]:
    with api_process(tmp_path / "service", env) as api:
        yield api


def call(api: ApiProcess, method: str, path: str, **options: object) -> dict[str, object]:
    with api.client(timeout_s=40.0) as client:
        response: httpx2.Response = client.request(method, f"{PREFIX}{path}", **options)
    assert response.is_success, response.text
    body: dict[str, object] = response.json()
    return body


def submit(api: ApiProcess, task: str, *args: object) -> str:
    return str(call(api, "POST", "/test/submit", json={"task": task, "args": args})["task_id"])


def result(api: ApiProcess, task_id: str) -> dict[str, object]:
    return call(api, "GET", f"/tasks/{task_id}/result?timeout=30")


def skew_s(api: ApiProcess, worker: str) -> float | None:
    stats = api.get("/tasks/workers/stats").json()["stats"]
    skew: float | None = stats[worker]["stats"]["clock_skew_s"] if worker in stats else None
    return skew


def warnings(worker: ServiceProcess, relation: str) -> int:
    return worker.log.read_text().count(WARNING % relation)


def test_tasks_run_are_retried_and_expire_by_the_clock_of_redis(
    api: ApiProcess, env: dict[str, str], own_redis: OwnRedis, tmp_path: Path
) -> None:
    folder, notes = tmp_path / "service", tmp_path / "notes"
    with worker_process(folder, {**env, **shifted_clock(f"+{HOURS}h")}, "ahead", concurrency=1) as ahead:
        assert result(api, submit(api, "test.add", 1, 2))["result"] == 3
        wait_until(lambda: skew_s(api, "celery@ahead") == pytest.approx(HOURS * 3600, abs=5), what="the skew shown")
        retried = submit(api, "test.soon", str(notes))
        wait_until(notes.exists, what="the first try")
        wait_until(lambda: skew_s(api, "celery@ahead"), what="the worker still heard")
        assert warnings(ahead, "ahead of") == 1
    expired = str(uuid4())
    with keys_of_service(own_redis.url) as redis:
        redis.hset(task_key(expired), mapping={"name": "test.add", "owner": "", "tag": ""})
    celery = create_celery(service, Settings(_env_file=None, redis_url=own_redis.url), "client")
    celery.send_task("test.add", (1, 2), task_id=expired, expires=0.001, ignore_result=False)
    celery.close()
    # By this worker's own clock nothing has expired yet, and the second try is a day away.
    with worker_process(folder, {**env, **shifted_clock(f"-{HOURS}h")}, "behind", concurrency=1) as behind:
        assert result(api, retried)["result"] == "done"
        answer = result(api, expired)
        assert (answer["status"], answer["success"]) == ("REVOKED", False)
        reason = {"type": "Expired", "message": "The task expired before a worker started it."}
        assert answer["error"] == reason
        assert call(api, "GET", f"/tasks/{expired}/status")["info"] == reason
        assert call(api, "DELETE", f"/tasks/{expired}")["cancelled"] is False
        assert warnings(behind, "behind") == 1
    assert notes.read_text().splitlines() == ["try 0", "try 1"]


@pytest.mark.parametrize("ahead_s", [-HOURS * 3600, -11 * 60, 0, HOURS * 3600])
def test_a_sender_states_deadlines_by_the_clock_of_redis(ahead_s: int) -> None:
    celery = create_celery(service, Settings(_env_file=None), "client")
    redis_s = time.time() - ahead_s
    assert celery.measure_skew((int(redis_s), int(redis_s % 1 * 1e6))) == pytest.approx(ahead_s, abs=5)
    headers = celery.amqp.as_task_v2("id", "test.add", (), {}, expires=60, countdown=30).headers
    for name, wait_s in (("expires", 60), ("eta", 30)):
        assert datetime.fromisoformat(headers[name]).timestamp() == pytest.approx(redis_s + wait_s, abs=5)
    celery.close()


def test_what_the_schedule_sends_is_stated_by_the_clock_of_redis(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    celery = create_celery(service, Settings(_env_file=None, redis_url=own_redis.url), "client")

    @celery.task(name="test.scheduled")  # type: ignore[untyped-decorator]  # Celery ships no types
    def scheduled() -> None:
        """Never run."""

    right = time.time()
    monkeypatch.setattr("inference_core.core.queue.app.time.time", lambda: right + HOURS * 3600)
    scheduled.apply_async(expires=60)
    monkeypatch.undo()
    celery.close()
    assert celery.clock_skew_s == pytest.approx(HOURS * 3600, abs=10)
