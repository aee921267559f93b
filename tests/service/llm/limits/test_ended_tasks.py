"""A task that ends without an answer releases its lease: cancelled, discarded, stopped or killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals
from celery.app.task import Context

from inference_core.core.queue.app import create_celery
from inference_core.llm.accounting.limits import lease_keys
from inference_core.llm.worker.ended_tasks import install
from tests.service.conftest import AppFactory
from tests.support.accounts import PREFIX
from tests.support.llm import limits_config
from tests.support.processes import keys_of_service
from tests.support.settings import Settings, service


@pytest.mark.anyio
@pytest.mark.parametrize("anonymous", [True, False])
async def test_task_called_off_before_it_starts_makes_room_for_the_next(
    start_app: AppFactory, tmp_path: Path, anonymous: bool
) -> None:
    async with start_app(llm_config_file=limits_config(tmp_path, at_once=2, per_day=10_000)) as api:
        mine = None if anonymous else await api.login(await api.register())
        body = {"question": "Why?", "max_tokens": 3000}
        for _ in range(4):
            sent = [(await api.post("/llm/explain", body, mine)).json()["task_id"] for _ in range(2)]
            assert (await api.post("/llm/explain", body, mine)).status_code == 429
            for task_id in sent:
                for _ in range(2):  # the second time there is nothing more to give back
                    cancelled = await api.client.request(
                        "DELETE", f"{PREFIX}/tasks/{task_id}", headers=mine.bearer if mine else {}
                    )
                    assert cancelled.json()["cancelled"] is True


def revoked(task: Any, task_id: str, args: list[Any]) -> None:
    signals.task_revoked.send(sender=task, request=Context(id=task_id, args=args), terminated=True, signum=15)


def expired(task: Any, task_id: str, args: list[Any]) -> None:
    signals.task_revoked.send(sender=task, request=Context(id=task_id, args=args), expired=True)


def killed(task: Any, task_id: str, args: list[Any]) -> None:
    signals.task_failure.send(sender=task, task_id=task_id, args=args, kwargs={}, exception=WorkerLostError())


def timed_out(task: Any, task_id: str, args: list[Any]) -> None:
    signals.task_failure.send(sender=task, task_id=task_id, args=args, kwargs={}, exception=TimeLimitExceeded(9))


@pytest.mark.parametrize("ends", [revoked, expired, killed, timed_out])
def test_task_that_the_worker_ends_gives_its_lease_back(
    service_settings: Callable[..., Settings], redis_url: str, ends: Callable[[Any, str, list[Any]], None]
) -> None:
    task_id, other_id, key = str(uuid4()), str(uuid4()), f"user:{uuid4()}"
    leases, reserved = lease_keys(key)
    task = Named("llm.explain")
    with keys_of_service(redis_url) as redis, listening(service_settings()):
        redis.zadd(leases, {task_id: 9e15, other_id: 9e15})
        redis.hset(reserved, mapping={task_id: 5, other_id: 7})
        ends(Named("somebody.elses"), task_id, [{"key": key}])
        for unreadable in ([], [7], [{}], ["text"]):
            ends(task, task_id, unreadable)
        assert redis.zcard(leases) == 2
        ends(task, task_id, [{"key": key}])
        assert redis.zrange(leases, 0, -1) == [other_id.encode()]
        assert redis.hgetall(reserved) == {other_id.encode(): b"7"}


class Named:
    """What a signal's sender is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name


@contextmanager
def listening(settings: Settings) -> Iterator[None]:
    """What a worker's process hears of its tasks."""
    celery, heard = create_celery(service, settings, "client"), (signals.task_revoked, signals.task_failure)
    before = [list(signal.receivers or ()) for signal in heard]
    install(celery)
    try:
        yield
    finally:
        for signal, receivers in zip(heard, before, strict=True):
            signal.receivers = receivers
        celery.close()
