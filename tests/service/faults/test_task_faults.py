"""F18-F23: workers that die in the middle of a task, brokers that are away, poison, repetition."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from inference_core.core.queue.worker_state import DEAD_LETTERS_KEY
from inference_core.core.settings import SettingsError
from tests.service.faults.conftest import OwnRedis
from tests.support.bounds import quick
from tests.support.processes import keys_of_service, wait_until
from tests.support.service import PREFIX, ApiProcess, api_process, service_env, worker_process
from tests.support.settings import Settings, load_settings

pytestmark = pytest.mark.full

SHORT = {"CELERY_TASK_TIME_LIMIT_S": "5", "CELERY_VISIBILITY_TIMEOUT_S": "6", "CELERY_SOFT_SHUTDOWN_S": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "service"


@pytest.fixture
def env(folder: Path, own_redis: OwnRedis) -> dict[str, str]:
    return service_env(folder, own_redis.url, **SHORT)


@pytest.fixture
def api(folder: Path, env: dict[str, str]) -> Iterator[ApiProcess]:
    with api_process(folder, env) as api:
        yield api


def post(api: ApiProcess, path: str, task: str, *args: Any, **headers: str) -> httpx2.Response:
    with api.client() as client:
        return client.post(f"{PREFIX}/test/{path}", json={"task": task, "args": args}, headers=headers)


def submit(api: ApiProcess, task: str, *args: Any) -> str:
    response = post(api, "submit", task, *args)
    assert response.status_code == 202, response.text
    task_id: str = response.json()["task_id"]
    return task_id


def result(api: ApiProcess, task_id: str) -> dict[str, Any]:
    response = api.get(f"/tasks/{task_id}/result?timeout=30", timeout_s=40)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def words(notes: Path, word: str) -> int:
    return notes.read_text().split().count(word) if notes.exists() else 0


def test_F18_task_of_a_killed_worker_is_done_by_the_next_with_one_effect(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env, "one") as one:
        task_id = submit(api, "test.slow", 2.5, str(notes))
        wait_until(lambda: words(notes, "start") == 1, what="the task started")
        one.process.kill()
    with worker_process(folder, env, "two"):
        assert result(api, task_id)["success"] is True
    assert (words(notes, "start"), words(notes, "effect")) == (2, 1)


def test_F18_task_whose_process_is_killed_runs_again_at_once(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env):
        assert result(api, submit(api, "test.crash_once", str(notes)))["result"] == "done"
    assert (words(notes, "try"), words(notes, "effect")) == (2, 1)


def test_F19_task_of_a_stopped_worker_goes_back_to_the_queue_in_time(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path, own_redis: OwnRedis
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env, "one") as one:
        task_id = submit(api, "test.slow", 4, str(notes))
        wait_until(lambda: words(notes, "start") == 1, what="the task started")
        one.process.terminate()
        assert one.process.wait(15) == 0
    with keys_of_service(own_redis.url) as redis:
        assert redis.llen("default") == 1
    with worker_process(folder, env, "two"):
        assert result(api, task_id)["success"] is True
    assert words(notes, "effect") == 1


def test_F19_short_task_of_a_stopped_worker_is_finished_first(
    api: ApiProcess, folder: Path, own_redis: OwnRedis, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    env = service_env(folder, own_redis.url, CELERY_SOFT_SHUTDOWN_S="20")
    with worker_process(folder, env, "one") as one:
        task_id = submit(api, "test.slow", 2, str(notes))
        wait_until(lambda: words(notes, "start") == 1, what="the task started")
        one.process.terminate()
        assert one.process.wait(20) == 0
    assert result(api, task_id)["success"] is True
    assert (words(notes, "start"), words(notes, "effect")) == (1, 1)


def is_refused(response: httpx2.Response) -> None:
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1


def is_fine(response: httpx2.Response) -> None:
    assert response.status_code == 200


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_F20_without_a_broker_submitting_is_refused_in_time(how: str, api: ApiProcess, own_redis: OwnRedis) -> None:
    assert post(api, "submit", "test.add", 1, 2).status_code == 202
    if how == "stopped":
        own_redis.stop()
    else:
        own_redis.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            quick(lambda: post(api, "submit", "test.add", 1, 2), within_s=2.0, check=is_refused)
            quick(lambda: api.get("/tasks/health"), within_s=1.0, check=is_fine)
    finally:
        own_redis.process.send_signal(signal.SIGCONT)


def test_F20_without_a_worker_a_task_waits_and_its_status_says_so(api: ApiProcess) -> None:
    task_id = submit(api, "test.add", 1, 2)
    assert api.get(f"/tasks/{task_id}/status").json()["status"] == "PENDING"
    wait_until(lambda: api.get("/tasks/health").json()["queue_depths"]["default"] == 1, what="the depth shown")


def test_F21_task_that_always_kills_its_process_is_parked_and_the_worker_lives(
    api: ApiProcess, folder: Path, own_redis: OwnRedis, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, service_env(folder, own_redis.url)):
        task_id = submit(api, "test.crash", str(notes))
        wait_until(lambda: api.get(f"/tasks/{task_id}/status").json()["failed"], within_s=60, what="it given up")
        assert words(notes, "try") == 4  # once, and three more times
        answer = result(api, task_id)
        assert answer["error"] == {"type": "WorkerLostError", "message": "The process that ran the task crashed."}
        with keys_of_service(own_redis.url) as redis:
            (parked,) = redis.lrange(DEAD_LETTERS_KEY, 0, -1)
        assert json.loads(parked)["task_id"] == task_id
        assert result(api, submit(api, "test.add", 1, 2))["result"] == 3


def test_F22_time_limit_must_be_below_the_visibility_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_TASK_TIME_LIMIT_S", "60")
    monkeypatch.setenv("CELERY_VISIBILITY_TIMEOUT_S", "60")
    with pytest.raises(SettingsError, match="CELERY_TASK_TIME_LIMIT_S must be less than CELERY_VISIBILITY_TIMEOUT_S"):
        load_settings(None)
    assert Settings(_env_file=None, celery_task_time_limit_s=59, celery_visibility_timeout_s=60)


def test_F22_task_near_the_visibility_timeout_runs_once_though_two_workers_look_for_lost_ones(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env, "one"), worker_process(folder, env, "two"):
        assert result(api, submit(api, "test.slow", 4, str(notes)))["success"] is True
        endless = submit(api, "test.slow", 60, str(notes))
        answer = result(api, endless)
        assert answer["error"]["message"] == "The task took too long."
    assert (words(notes, "start"), words(notes, "effect")) == (2, 1)


def once(api: ApiProcess, key: str, *args: Any) -> httpx2.Response:
    return post(api, "submit-once", "test.slow", *args, **{"Idempotency-Key": key})


def test_F22_a_try_is_not_put_off_until_its_task_counts_as_lost(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env):
        assert result(api, submit(api, "test.later", str(notes)))["result"] == "done"
    assert notes.read_text().splitlines() == ["try 0", "try 1"]


def test_F23_repeated_submission_is_answered_with_the_same_task(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env):
        first = once(api, "key-1", 0, str(notes))
        again = once(api, "key-1", 0, str(notes))
        assert (first.status_code, again.json()) == (202, first.json())
        other = once(api, "key-1", 1, str(notes))
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert result(api, first.json()["task_id"])["success"] is True
        assert once(api, "key-1", 0, str(notes)).json() == first.json()
    assert words(notes, "effect") == 1


def test_F23_concurrent_submissions_become_one_task(
    api: ApiProcess, folder: Path, env: dict[str, str], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with worker_process(folder, env), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: once(api, "key-2", 0, str(notes)), range(8)))
        assert {answer.status_code for answer in answers} <= {202, 409}
        (task_id,) = {answer.json()["task_id"] for answer in answers if answer.status_code == 202}
        assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 409)
        assert result(api, task_id)["success"] is True
    assert words(notes, "effect") == 1


def test_F23_key_of_a_submission_that_failed_tries_again_with_the_same_task(
    api: ApiProcess, own_redis: OwnRedis, tmp_path: Path
) -> None:
    first = once(api, "key-3", 0, str(tmp_path / "notes"))
    with keys_of_service(own_redis.url) as redis:
        (key,) = redis.scan_iter("idempotency:*")
        assert 0 < redis.ttl(key) <= 24 * 3600
        # As the key stands when the process died between choosing the id and saying that the task was sent.
        redis.hdel(key, "sent")
        assert once(api, "key-3", 0, str(tmp_path / "notes")).status_code == 409
        redis.hset(key, "at_ms", 1)
    assert once(api, "key-3", 0, str(tmp_path / "notes")).json() == first.json()
    with keys_of_service(own_redis.url) as redis:
        assert redis.llen("default") == 2


def test_F23_task_sent_twice_by_a_retry_after_a_crash_has_one_effect(
    api: ApiProcess, folder: Path, env: dict[str, str], own_redis: OwnRedis, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    task_id = once(api, "key-4", 0, str(notes)).json()["task_id"]
    with keys_of_service(own_redis.url) as redis:
        (key,) = redis.scan_iter("idempotency:*")
        redis.hdel(key, "sent")
        redis.hset(key, "at_ms", 1)
    assert once(api, "key-4", 0, str(notes)).json()["task_id"] == task_id
    with worker_process(folder, env):
        assert result(api, task_id)["success"] is True
        assert result(api, submit(api, "test.add", 1, 2))["success"] is True
    assert (words(notes, "start"), words(notes, "effect")) == (1, 1)


def test_F23_keys_are_each_users_own(api: ApiProcess) -> None:
    body = {"task": "test.add", "args": [1, 2]}
    with api.client() as client:
        answers = [
            client.post(
                f"{PREFIX}/test/submit-once", json=body | {"owner": owner}, headers={"Idempotency-Key": "shared"}
            )
            for owner in ("alice", "bob", "alice")
        ]
    first, second, third = (answer.json()["task_id"] for answer in answers)
    assert first == third
    assert first != second
