"""Questions answered by a real worker, and the documented form of their results."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from inference_core.app.stack.ports import free_port
from inference_core.core.queue.app import create_celery
from inference_core.llm.accounting.limits import lease_keys
from tests.support.accounts import PASSWORD, new_registration
from tests.support.processes import keys_of_service, wait_until
from tests.support.service import PREFIX, ApiProcess, ServiceProcess, api_process, service_env, worker_process
from tests.support.settings import Settings, service

SECRET_QUESTION = "What does the zebra-quartz-protocol say?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llm-tasks")


@pytest.fixture(scope="module")
def worker(folder: Path, redis_url: str) -> Iterator[ServiceProcess]:
    env = service_env(folder, redis_url, LLM_SIMULATOR_SPEED="fast", LOG_FORMAT="json")
    # As the guide starts it; queues of their own are for production.
    with worker_process(folder, env, "llm", "--queues=default") as worker:
        yield worker


@pytest.fixture(scope="module")
def api(folder: Path, redis_url: str, worker: ServiceProcess) -> Iterator[ApiProcess]:
    env = service_env(folder, redis_url, LLM_SIMULATOR_SPEED="fast", LOG_FORMAT="json")
    with api_process(folder, env) as api:
        yield api


def bearer(api: ApiProcess) -> dict[str, str]:
    """A new user's headers."""
    with api.client() as client:
        body = new_registration()
        assert client.post(f"{PREFIX}/auth/register", json=body).status_code == 201
        login = {"username": body["username"], "password": PASSWORD}
        return {"Authorization": f"Bearer {client.post(f'{PREFIX}/auth/login', json=login).json()['access_token']}"}


def call(api: ApiProcess, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx2.Response:
    with api.client(30) as client:
        return client.request(method, PREFIX + path, json=body, headers=headers)


def submit(api: ApiProcess, path: str, body: dict[str, Any], headers: dict[str, str]) -> str:
    response = call(api, "POST", path, headers, body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["status"] == "PENDING"
    assert answer["message"]
    task_id: str = answer["task_id"]
    return task_id


def result(api: ApiProcess, task_id: str, headers: dict[str, str]) -> dict[str, Any]:
    response = call(api, "GET", f"/tasks/{task_id}/result?timeout=20", headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_explanation_comes_in_the_shape_of_the_contract_to_its_submitter_alone(api: ApiProcess) -> None:
    mine, theirs = bearer(api), bearer(api)
    task_id = submit(api, "/llm/explain", {"question": "Why is the sky blue?", "max_tokens": 30}, mine)
    found = result(api, task_id, mine)
    assert found["success"] is True
    assert found["result"]["answer"]
    metadata = found["metadata"]
    assert (metadata["model_name"], metadata["simulated"]) == ("gpt-5-mini", True)
    assert metadata["timestamp"]
    usage = metadata["usage"]
    assert 0 < usage["output_tokens"] <= 30
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    for headers in (theirs, {}):
        assert call(api, "GET", f"/tasks/{task_id}/result", headers).status_code == 404
    totals = call(api, "GET", "/llm/usage", mine).json()["totals"]
    assert {name: totals[name] for name in usage} == usage
    # Another answer is now estimated by what the first one took.
    again = call(api, "POST", "/llm/explain", mine, {"question": "Why?"}).json()
    assert again["estimated_time"] >= 0
    result(api, again["task_id"], mine)


def test_conversation_of_tasks_and_streams_is_one(api: ApiProcess) -> None:
    mine = bearer(api)
    first = result(api, submit(api, "/llm/conversation", {"user_input": "Hello"}, mine), mine)
    session_id = first["result"]["session_id"]
    body = {"user_input": "And now?", "session_id": session_id}
    second = result(api, submit(api, "/llm/conversation", body, mine), mine)
    assert second["result"]["session_id"] == session_id
    streamed = call(api, "POST", "/llm/conversation/stream", mine, {**body, "user_input": "And then?"})
    assert streamed.status_code == 200
    turns = call(api, "GET", f"/llm/sessions/{session_id}", mine).json()["turns"]
    assert [turn["content"] for turn in turns[:4]] == [
        "Hello",
        first["result"]["reply"],
        "And now?",
        second["result"]["reply"],
    ]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 3


def test_repeated_submission_is_one_task_and_one_charge(api: ApiProcess) -> None:
    mine = bearer(api)
    headers = {**mine, "Idempotency-Key": str(uuid4())}
    body = {"user_input": "Once", "max_tokens": 10}
    ids = {submit(api, "/llm/conversation", body, headers) for _ in range(3)}
    assert len(ids) == 1
    result(api, ids.pop(), mine)
    assert call(api, "GET", "/llm/usage", mine).json()["totals"]["requests"] == 1
    other = call(api, "POST", "/llm/conversation", headers, {**body, "user_input": "Twice"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_task_that_is_stopped_while_it_runs_counts_its_prompt_and_gives_its_lease_back(
    api: ApiProcess, redis_url: str
) -> None:
    mine = bearer(api)
    user_id = call(api, "GET", "/auth/me", mine).json()["id"]
    headers = {**mine, "X-LLM-Fault": "slow_first_token:60"}
    task_id = submit(api, "/llm/explain", {"question": "Why? " * 100}, headers)

    def books() -> dict[str, Any]:
        totals: dict[str, Any] = call(api, "GET", "/llm/usage", mine).json()["totals"]
        return totals

    wait_until(lambda: books()["requests"] == 1, what="the prompt counted")
    with keys_of_service(redis_url) as redis:
        leases, _ = lease_keys(f"user:{user_id}")
        assert redis.zcard(leases) == 1
        assert call(api, "DELETE", f"/tasks/{task_id}", mine).json()["cancelled"] is True
        wait_until(lambda: redis.zcard(leases) == 0, within_s=5, what="the lease given back")
        (day,) = redis.scan_iter(f"llm:tokens:user:{user_id}:*")
        assert int(redis.get(day) or 0) == books()["total_tokens"] >= 100  # type: ignore[arg-type]  # not awaitable
    assert books()["requests"] == 1
    result(api, submit(api, "/llm/explain", {"question": "Why?"}, mine), mine)  # the worker goes on


def test_task_whose_process_is_killed_past_the_api_gives_its_lease_back(api: ApiProcess, redis_url: str) -> None:
    mine = bearer(api)
    user_id = call(api, "GET", "/auth/me", mine).json()["id"]
    task_id = submit(api, "/llm/explain", {"question": "Why?"}, {**mine, "X-LLM-Fault": "slow_first_token:60"})
    leases, _ = lease_keys(f"user:{user_id}")
    celery = create_celery(service, Settings(_env_file=None, redis_url=redis_url), "client")
    with keys_of_service(redis_url) as redis:
        wait_until(
            lambda: call(api, "GET", "/llm/usage", mine).json()["totals"]["requests"] == 1, what="the task begun"
        )
        assert redis.zcard(leases) == 1
        # Its process has no chance to give anything back by itself.
        celery.control.revoke(task_id, terminate=True, signal="SIGKILL", reply=False)
        wait_until(lambda: redis.zcard(leases) == 0, what="the lease given back")
    celery.close()


def test_failure_of_the_provider_is_the_tasks_result(api: ApiProcess) -> None:
    mine = bearer(api)
    headers = {**mine, "X-LLM-Fault": "auth_failed"}
    found = result(api, submit(api, "/llm/explain", {"question": "Why?"}, headers), mine)
    assert found["success"] is False
    assert found["error"]["type"] == "TaskFailedError"
    assert "refuses this service" in found["error"]["message"]
    assert call(api, "GET", "/llm/usage", mine).json()["totals"]["requests"] == 0


def test_counts_are_one_over_the_api_and_the_worker(api: ApiProcess) -> None:
    mine = bearer(api)
    before = call(api, "GET", "/llm/stats", mine).json()["stats"]
    streamed = call(api, "POST", "/llm/explain/stream", mine, {"question": "One?"})
    assert streamed.status_code == 200
    result(api, submit(api, "/llm/explain", {"question": "Two?"}, mine), mine)
    after = call(api, "GET", "/llm/stats", mine).json()["stats"]
    totals = call(api, "GET", "/llm/usage", mine).json()["totals"]
    assert after["requests_count"] == before["requests_count"] + 2
    assert after["total_tokens"] == before["total_tokens"] + totals["total_tokens"]


def test_S39_prompts_and_answers_are_in_no_log(api: ApiProcess, worker: ServiceProcess) -> None:
    mine = bearer(api)
    task_id = submit(api, "/llm/conversation", {"user_input": SECRET_QUESTION, "max_tokens": 40}, mine)
    reply = result(api, task_id, mine)["result"]["reply"]
    failing = {**mine, "X-LLM-Fault": "server_error"}
    result(api, submit(api, "/llm/explain", {"question": SECRET_QUESTION}, failing), mine)
    streamed = call(api, "POST", "/llm/explain/stream", mine, {"question": SECRET_QUESTION, "max_tokens": 40})
    assert (
        call(api, "POST", "/llm/explain/stream", mine, {"question": SECRET_QUESTION, "temperature": 9}).status_code
        == 422
    )
    contents = [json.loads(line[6:])["content"] for line in streamed.text.splitlines() if '"token"' in line]
    for log in (api.log.read_text(), worker.log.read_text()):
        assert "zebra-quartz" not in log
        assert reply not in log
        assert reply[:40] not in log
        assert "".join(contents)[:40] not in log
    assert task_id in worker.log.read_text()


@pytest.mark.full
def test_F20_without_a_broker_submitting_is_503_within_two_seconds(folder: Path, redis_url: str) -> None:
    gone = f"redis://127.0.0.1:{free_port()}/0"
    with api_process(folder, service_env(folder, redis_url, CELERY_BROKER_URL=gone)) as api:
        start_s = time.monotonic()
        response = call(api, "POST", "/llm/explain", {}, {"question": "Why?"})
        assert time.monotonic() - start_s < 2
        assert (response.status_code, response.json()["code"]) == (503, "broker_unavailable")
        assert response.headers["retry-after"]
    with keys_of_service(redis_url) as redis:
        # Nothing of the refused request is left that would count against its user.
        leases = [redis.zcard(key) for key in redis.scan_iter("llm:leases:*")]
        assert not any(leases)
