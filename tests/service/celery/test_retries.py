"""A task that asks for a retry while the broker does not respond is not dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery.exceptions import Reject, Retry
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from inference_core.app.worker_app import worker_app
from inference_core.core.queue import base_task
from inference_core.core.queue.base_task import ServiceTask


@pytest.fixture
def task() -> Iterator[ServiceTask]:
    """A task in its first try."""
    task: ServiceTask = worker_app().tasks["llm.explain"]
    task.push_request(id="a-task", args=[{}], kwargs={}, retries=0, called_directly=False, is_eager=False)
    yield task
    task.pop_request()


def fail_to_send(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[Any]:
    """Let the first messages fail with these errors. Return the waits of the task, in seconds."""
    left, waits = list(errors), []

    def apply_async(*_: Any, **__: Any) -> None:
        if left:
            raise left.pop(0)

    monkeypatch.setattr(ServiceTask, "apply_async", apply_async)
    monkeypatch.setattr(base_task.time, "sleep", waits.append)
    return waits


def test_it_waits_for_the_broker_and_is_then_tried_again(monkeypatch: pytest.MonkeyPatch, task: ServiceTask) -> None:
    waits = fail_to_send(
        monkeypatch, OperationalError("away"), RedisConnectionError("no Sentinel"), OSError("no route")
    )
    with pytest.raises(Retry):
        task.retry(countdown=2)
    assert waits == [0.1, 0.2, 0.5]


def test_a_message_that_cannot_be_sent_at_all_ends_it(monkeypatch: pytest.MonkeyPatch, task: ServiceTask) -> None:
    waits = fail_to_send(monkeypatch, TypeError("not JSON"))
    with pytest.raises(Reject):
        task.retry(countdown=2)
    assert waits == []
