"""Who may see and do what that is not an account: tasks, monitoring, documentation."""

from __future__ import annotations

import asyncio

import pytest

from inference_core.core.queue.submissions import task_key
from inference_core.maintenance.feature import PURGE_EXPIRED
from tests.service.conftest import AppFactory
from tests.support.accounts import Api

pytestmark = pytest.mark.anyio

MONITORING = ("/tasks/health", "/tasks/workers/stats", "/tasks/active")


async def test_S35_a_task_is_its_submitters_alone(api: Api) -> None:
    owner, stranger = await api.register(), await api.register()
    own, theirs = await api.login(owner), await api.login(stranger)
    admin = await api.login(await api.register_superuser())
    task_id = await api.tasks.submit(PURGE_EXPIRED, owner=owner.id)
    unowned = await api.tasks.submit(PURGE_EXPIRED)
    for method, path in (("GET", "status"), ("GET", "result?timeout=0"), ("DELETE", "")):
        target = f"/tasks/{task_id}/{path}".rstrip("/")
        for caller in (None, theirs):
            foreign = await api.call(method, target, caller)
            unknown = await api.call(method, target.replace(task_id, "no-such-task"), caller)
            assert (foreign.status_code, unknown.status_code) == (404, 404)
            assert foreign.json()["detail"] == unknown.json()["detail"]
    for caller in (own, admin):
        assert (await api.get(f"/tasks/{task_id}/status", caller)).status_code == 200
    for caller in (None, theirs):
        assert (await api.get(f"/tasks/{unowned}/status", caller)).status_code == 200
    assert (await api.call("DELETE", f"/tasks/{task_id}", own)).json()["cancelled"] is True


async def test_a_task_that_nobody_stopped_is_not_said_to_be_cancelled(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_core.tasks.service.STOP_WITHIN_S", 0.1)
    task_id = await api.tasks.submit(PURGE_EXPIRED)
    # As if a worker had begun it that has been lost since.
    await api.tasks.store.redis.hset(task_key(task_id), "started", "1")
    answer = (await api.call("DELETE", f"/tasks/{task_id}")).json()
    assert (answer["task_id"], answer["cancelled"]) == (task_id, False)
    assert "may still run" in answer["message"]


async def test_S39_only_so_many_wait_for_results_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_core.tasks.service.MAX_WAITING", 1)
    task_id = await api.tasks.submit(PURGE_EXPIRED)
    waiting = asyncio.create_task(api.get(f"/tasks/{task_id}/result?timeout=30"))
    async with asyncio.timeout(20):
        while api.tasks.waiting < 1:
            assert not waiting.done()
            await asyncio.sleep(0.01)
        one_too_many = await api.get(f"/tasks/{task_id}/result?timeout=30")
        assert (one_too_many.status_code, one_too_many.json()["status"]) == (202, "PENDING")
        assert not waiting.done()
        assert (await api.call("DELETE", f"/tasks/{task_id}")).json()["cancelled"] is True
        assert (await waiting).json()["success"] is False
    assert api.tasks.waiting == 0


async def test_S36_production_shows_the_workers_to_superusers_alone(start_app: AppFactory) -> None:
    async with start_app(environment="production", secret_key="s" * 32) as api:
        user, admin = await api.login(await api.register()), await api.login(await api.register_superuser())
        for path in MONITORING:
            statuses = [(await api.get(path, caller)).status_code for caller in (None, user, admin)]
            assert statuses == [401, 403, 200]


async def test_S36_monitoring_is_public_in_development(start_app: AppFactory) -> None:
    async with start_app(environment="development") as api:
        for path in MONITORING:
            assert (await api.get(path)).status_code == 200
